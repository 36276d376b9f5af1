"""One published model, compiled for the base variants from its shapes alone.

`python -m tests.shapes.measure NAME` prints a line of JSON. A process of its own, so that its
memory is that of one model.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from compiler.bundle.inspect import variant_facts
from compiler.bundle.read import Bundle
from compiler.errors import CompileError
from compiler.lower import targets
from compiler.summary import peak_bytes
from tests.bench.gpu.shapes import compile_shape
from tests.shapes.published import config_of

# The others have the same buffers and steps, in other words.
TARGETS = (targets.WEBGPU, replace(targets.WASM, variants={"wasm": ["simd128"]}))


@dataclass(frozen=True)
class Measured:
    """What is known of one model."""

    name: str
    reason: str = ""  # why it cannot be compiled
    architecture: str = ""
    parameters: int = 0
    notes: list[str] = field(default_factory=list)  # the manifest's: limits raised, and why
    seconds: float = 0.0
    peak_bytes: int = 0
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)  # `inspect`'s figures


def measure(name: str) -> Measured:
    """Compiles it; whatever stops it is the reason."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        try:
            manifest = compile_shape(name, config_of(name), target, chosen=TARGETS)
        except CompileError as error:
            return Measured(name, " ".join(str(error).split())[:300])
        bundle = Bundle.open(target)
        variants = {each: asdict(variant_facts(bundle, each)) for each in manifest.variants}
    return Measured(
        name,
        "",
        manifest.architecture,
        manifest.parameters,
        manifest.notes,
        round(time.monotonic() - start, 1),
        peak_bytes(),
        variants,
    )


if __name__ == "__main__":
    print(json.dumps(asdict(measure(sys.argv[1]))))

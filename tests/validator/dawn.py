"""Dawn's own validator, Tint, under Node: what Chrome would say to a kernel's text."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from compiler.lower.wgsl import Shader

SCRIPT = Path(__file__).with_name("validate.mjs")
PATIENCE = 300  # seconds for a bundle's kernels


def refusals(shaders: Mapping[str, Shader], features: Sequence[str]) -> dict[str, str]:
    """What is wrong with each shader, by its name, on a device that has `features` and no more than
    WebGPU's default limits; empty where nothing is. Warnings count."""
    listed = [{"name": n, "entry": one.entry, "text": one.text} for n, one in shaders.items()]
    done = subprocess.run(
        ["node", str(SCRIPT)],
        input=json.dumps({"features": list(features), "shaders": listed}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"{SCRIPT.name} failed: {done.stderr}")
    verdicts: dict[str, str | None] = json.loads(done.stdout)
    assert verdicts.keys() == shaders.keys()
    return {name: error for name, error in verdicts.items() if error is not None}

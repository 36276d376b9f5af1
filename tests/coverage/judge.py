"""One architecture: a tiny random model, compiled, run in the browser, compared with PyTorch.

`python -m tests.coverage.judge NAME` prints the verdict.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, fields
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from compiler.bundle.inspect import variant_facts
from compiler.checkpoint.open import open_checkpoint
from compiler.errors import CompileError
from compiler.lower import targets
from tests.coverage.configs import VOCABULARY, tiny
from tests.support.bundles import compile_bundle
from tests.unit.checkpoint.tiny import save_random
from web.errors import SiteError
from web.reference import Reference
from web.verify import BrowserEngine, browser_engine

PROMPT = 20  # tokens, read by `prefill`
STEPS = 8  # more, read by `decode` one at a time
# Two layers of at most 128 products each, logits of size 5 (tests/parity/test_architectures.py);
# twice that for models with more layers or exponentials of their own.
TOLERANCE = 8e-5
# Some architectures magnify every rounding, such as those that do not scale attention scores:
# PyTorch's own logits move by so much when weights move by half a unit in the last place. Sums of
# 128 products add up to sqrt(128) such roundings of random signs; ours came to 1 to 3 of them in
# Llama, GPT-Neo and Gemma 4.
MAGNIFIED = 5.0
LARGEST = 1e-3  # whatever an architecture does
VARIANTS = ("f32", "wasm-threads-relaxed")


class _Untuned(targets.Target):
    """Kernels for any device alone."""

    @property
    def vendors(self) -> list[str]:
        return []


def _lean(target: targets.Target, variant: str) -> targets.Target:
    """No more than `variant` needs to generate, with chunks that all targets share."""
    settings = {each.name: getattr(target, each.name) for each in fields(target)}
    variants = {variant: target.variants[variant]}
    return _Untuned(**settings | {"prefill_rows": 32, "verify_rows": None, "variants": variants})


TARGETS = tuple(map(_lean, (targets.WEBGPU, targets.WASM), VARIANTS))


@dataclass(frozen=True)
class Verdict:
    """What is known of one architecture."""

    name: str
    matches: bool
    reason: str = ""  # why not
    dispatches: int = 0  # of a layer at decode, on WebGPU
    worst: float = 0.0  # largest error of a logit, relative to max(1, |expected|)


def judge(name: str) -> Verdict:
    """In a browser of its own."""
    with tempfile.TemporaryDirectory() as folder, browser_engine(Path(folder)) as engine:
        return judge_in(engine, Path(folder), name)


def judge_in(engine: BrowserEngine, models: Path, name: str) -> Verdict:
    """Builds, runs and compares; whatever stops it is the reason. `models` is the engine's."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = save_random(tiny(name), Path(folder))
        except Exception as error:  # whatever a model's own code raises
            return Verdict(name, False, f"no tiny model: {_line(error)}")
        try:
            return _compare(engine, name, source, models / name)
        except (CompileError, SiteError) as error:
            return Verdict(name, False, _line(error))


def answer(name: str, sender: Connection) -> None:
    """`judge`, for another process."""
    sender.send(judge(name))


def _compare(engine: BrowserEngine, name: str, source: Path, output: Path) -> Verdict:
    bundle = compile_bundle(source, output, quantization="f32", targets=TARGETS)
    dispatches = variant_facts(bundle, "f32").dispatches_per_layer["decode"]
    ids = np.random.default_rng(7).integers(0, VOCABULARY - 4, PROMPT + STEPS).tolist()
    with open_checkpoint(str(source)) as checkpoint:
        reference = Reference(checkpoint, bundle)
    expected = reference.logits(ids, PROMPT - 1)
    errors = {v: _worst(engine, name, v, ids, expected) for v in VARIANTS}
    worst = max(errors.values())
    tolerance = TOLERANCE
    if worst > TOLERANCE:
        tolerance = min(LARGEST, max(TOLERANCE, MAGNIFIED * _rounding(reference.model, ids)))
    wrong = [f"{v} differs by {e:.2g}" for v, e in errors.items() if not e <= tolerance]
    return Verdict(name, not wrong, "; ".join(wrong), dispatches, float(f"{worst:.2g}"))


def _worst(
    engine: BrowserEngine, name: str, variant: str, ids: list[int], expected: np.ndarray
) -> float:
    engine.load(name, variant)
    return _error(engine.logits(ids, PROMPT - 1), expected)


def _rounding(model: torch.nn.Module, ids: list[int]) -> float:
    """How far PyTorch's own logits move when every weight moves by up to half a unit in its last
    place."""
    tokens = torch.tensor([ids])
    with torch.inference_mode():
        before = model(input_ids=tokens).logits[0, PROMPT - 1 :].numpy()
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            parameter.mul_(1 + (torch.rand(parameter.shape, generator=generator) - 0.5) * 2**-23)
        return _error(model(input_ids=tokens).logits[0, PROMPT - 1 :].numpy(), before)


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    error = np.abs(found - expected) / np.maximum(1, np.abs(expected))
    return float(np.where(np.isfinite(error), error, np.inf).max())


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    prefix = "" if isinstance(error, CompileError | SiteError) else f"{type(error).__name__}: "
    return (prefix + text)[:300]


if __name__ == "__main__":
    print(judge(sys.argv[1]))

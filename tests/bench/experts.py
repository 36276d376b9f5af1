"""`make bench-experts`: a mixture of experts of more than 1 GB, compiled and run in the browser.

Mixtral's layers at half their width with random weights, stored as Mixtral was published. Compiling
it may take 1.5 GB of memory and twice its largest tensor. In the browser, WebGPU (SwiftShader) and
WebAssembly have to agree on the logits. That only a token's own experts are read is seen twice: in
the plan, and in the time of a token, measured on smaller models of 4, 8 and 16 experts, two of them
for each token, and on one that takes all of its 8. Rounds are interleaved; the figure is that of
the fastest round, because whatever else runs can only make a round slower.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.build import build
from compiler.bundle.inspect import variant_facts
from compiler.bundle.read import Bundle
from compiler.bundle.schema import Plan
from compiler.progress import SilentProgress
from compiler.summary import Summary
from tests.bench.mixtral import Shape, write_checkpoint
from web.browser import browser
from web.verify import TOLERANCE, BrowserEngine, serving

RESULTS = Path("docs/bench")
BIG = Shape("1.2 GB", 2048, 7168, layers=5, experts=8, routed=2, vocabulary=32000)
SMALL = [
    Shape("2 of 4", 1024, 3584, layers=2, experts=4, routed=2, vocabulary=288),
    Shape("2 of 8", 1024, 3584, layers=2, experts=8, routed=2, vocabulary=288),
    Shape("2 of 16", 1024, 3584, layers=2, experts=16, routed=2, vocabulary=288),
    Shape("8 of 8", 1024, 3584, layers=2, experts=8, routed=8, vocabulary=288),
]
VARIANTS = ("f32", "wasm-threads-relaxed")
CONTEXT = 512
GB = 10**9
BOUND = 1.5 * GB  # of memory, besides twice the largest tensor
DECODED = {"f32": 8, "wasm-threads-relaxed": 32}  # tokens of a round

TIME = """async (count) => {
  await engine.generate([1], 1, "off");
  const start = performance.now();
  await engine.generate([1], count + 1, "off");
  return (performance.now() - start) / (count + 1);
}"""


@dataclass(frozen=True)
class Compiled:
    """What a compilation took and what came of it."""

    source_bytes: int
    weight_bytes: int
    seconds: float
    peak_bytes: int
    bound_bytes: int
    largest_binding: int
    experts_bytes: int  # of a layer's experts
    experts_read: int  # of them, by a decode step

    @property
    def holds(self) -> bool:
        return self.peak_bytes <= self.bound_bytes and self.weight_bytes >= GB


def compile_shape(shape: Shape, folder: Path) -> tuple[int, Summary]:
    """Writes the checkpoint, compiles it in a process of its own and deletes it again."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        source = Path(place) / "source"
        print(f"{shape.name}: writing random weights", flush=True)
        size = write_checkpoint(shape, source)
        print(f"{shape.name}: compiling {size / GB:.1f} GB", flush=True)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, spawn) as pool:
            return size, pool.submit(_build, source, _bundle(folder, shape)).result()


def _build(source: Path, target: Path) -> Summary:
    return build(
        str(source),
        output=target,
        quantization="q4",
        context=CONTEXT,
        revision=None,
        progress=SilentProgress(),
    )


def _bundle(folder: Path, shape: Shape) -> Path:
    return folder / "models" / shape.name.replace(" ", "-")


def compiled(shape: Shape, folder: Path) -> Compiled:
    size, summary = compile_shape(shape, folder)
    bundle = Bundle.open(summary.bundle)
    stacked, read = experts_read(bundle.plans["f32"], shape)
    return Compiled(
        size,
        bundle.manifest.variants["f32"].memory.weights,
        round(summary.seconds, 1),
        summary.peak_bytes,
        int(BOUND + 2 * shape.largest),
        variant_facts(bundle, "f32").max_binding_bytes,
        stacked,
        read,
    )


def experts_read(plan: Plan, shape: Shape) -> tuple[int, int]:
    """Bytes of a layer's experts, and those that a decode step reads: every row of workgroups (y)
    reads one expert's matrix, the one that its row of the routing names."""
    weights = {i: b for i, b in enumerate(plan.buffers) if ".0.mlp.experts." in b.name}
    steps = [
        (step.grid[1], weights[bound].bytes)
        for step in plan.functions["decode"].steps
        for bound in {binding.buffer for binding in step.bindings} & set(weights)
    ]
    return sum(size for _, size in steps), sum(n * size // shape.experts for n, size in steps)


@contextmanager
def engines(folder: Path, shapes: Sequence[Shape], variant: str) -> Iterator[list[BrowserEngine]]:
    """An engine for each shape, in pages side by side."""
    with serving(folder / "models") as address, browser() as chromium:
        found = []
        for shape in shapes:
            page = chromium.new_page()
            page.set_default_timeout(0)
            engine = BrowserEngine(page, address)
            engine.load(_bundle(folder, shape).name, variant, CONTEXT)
            found.append(engine)
        yield found


def times(folder: Path, shapes: Sequence[Shape], rounds: int) -> dict[str, dict[str, list[float]]]:
    """Milliseconds of a token by variant and shape, in each round."""
    measured: dict[str, dict[str, list[float]]] = {}
    for variant in VARIANTS:
        own = measured[variant] = {shape.name: [] for shape in shapes}
        with engines(folder, shapes, variant) as loaded:
            for _ in range(rounds):
                for shape, engine in zip(shapes, loaded, strict=True):
                    taken = engine.page.evaluate(TIME, DECODED[variant])
                    print(f"{variant}, {shape.name}: {taken:.1f} ms a token", flush=True)
                    own[shape.name].append(round(taken, 2))
    return measured


def disagreement(folder: Path, shape: Shape) -> float:
    """The largest relative difference between the variants' logits: 20 tokens read as a prompt and
    four one by one."""
    ids = np.random.default_rng(7).integers(0, 256, 24).tolist()
    found: list[npt.NDArray[np.float32]] = []
    for variant in VARIANTS:
        with engines(folder, [shape], variant) as (engine,):
            found.append(engine.logits(ids, 19))
    first, second = found
    return float((np.abs(first - second) / np.maximum(1, np.abs(second))).max())


def markdown(
    said: Mapping[str, Any], big: Compiled, fastest: Mapping[str, Mapping[str, float]]
) -> str:
    """The figures for people."""
    rows = [
        f"| {name} | " + " | ".join(f"{fastest[v][name]:.1f}" for v in VARIANTS) + " |"
        for name in fastest[VARIANTS[0]]
    ]
    return "\n".join(
        [
            f"# Experts, {said['date']}: random weights in Mixtral's shape, {said['machine']}",
            "",
            f"`{said['command']}`",
            "",
            f"- {big.source_bytes / GB:.2f} GB of bf16 became {big.weight_bytes / GB:.2f} GB at 4 "
            f"bits in {big.seconds:.0f} s, with {big.peak_bytes / GB:.2f} GB of memory at most "
            f"(bound {big.bound_bytes / GB:.2f} GB).",
            f"- Largest binding: {big.largest_binding / 10**6:.0f} MB.",
            f"- Of a layer's {big.experts_bytes / 10**6:.0f} MB of experts a decode step reads "
            f"{big.experts_read / 10**6:.0f} MB.",
            f"- Logits on WebGPU and WebAssembly differ by {said['disagreement']:.1g} at most.",
            "",
            f"Milliseconds of a decoded token, the fastest of {said['rounds']} rounds (WebGPU is "
            "SwiftShader):",
            "",
            f"| experts of each token | {' | '.join(VARIANTS)} |",
            "| --- | " + " | ".join("---:" for _ in VARIANTS) + " |",
            *rows,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for some 6 GB that are deleted at the end")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        folder = Path(place)
        big = compiled(BIG, folder)
        for shape in SMALL:
            compile_shape(shape, folder)
        differs = disagreement(folder, BIG)
        measured = times(folder, [BIG], options.rounds)
        small = times(folder, SMALL, options.rounds)
    for variant, found in small.items():
        measured[variant] |= found
    said = {
        "date": date.today().isoformat(),
        "command": "make bench-experts",
        "machine": f"{os.cpu_count()} cores",
        "load_average": os.getloadavg()[0],
        "rounds": options.rounds,
        "disagreement": differs,
        "compiled": asdict(big),
        "milliseconds": measured,
    }
    fastest = {v: {name: min(all_) for name, all_ in own.items()} for v, own in measured.items()}
    file = RESULTS / f"{said['date']}-experts.json"
    file.write_text(json.dumps(said, indent=1) + "\n")
    file.with_suffix(".md").write_text(text := markdown(said, big, fastest))
    print(text)
    if not (big.holds and differs <= TOLERANCE):
        raise SystemExit("the memory bound is exceeded, or the variants disagree")


if __name__ == "__main__":
    main()

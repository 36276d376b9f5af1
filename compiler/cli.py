"""compile-model: arguments, progress and exit codes; nothing else.

Three programs in one: `compile-model SOURCE` compiles, `compile-model inspect BUNDLE` describes,
`compile-model tune SOURCE` measures. `main` looks at the first argument, so a source that is
itself called "inspect" is written `./inspect`. (A Typer app with a default command would have to
guess the same, less visibly.)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from compiler import progress, summary
from compiler.bundle import inspect as inspection
from compiler.bundle.read import Bundle
from compiler.errors import CompileError, UsageError

compile_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
inspect_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
tune_app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

# The programs that a first argument names.
PROGRAMS = {
    "inspect": ("compile-model inspect", inspect_app),
    "tune": ("compile-model tune", tune_app),
}

# Top-level modules of the extra `compile`.
COMPILE_EXTRA = {
    "gguf",
    "huggingface_hub",
    "numpy",
    "safetensors",
    "torch",
    "transformers",
    "tvm",
    "ziglang",
}


class Quantization(StrEnum):
    """How weights are stored; the default keeps a quantized source's codes and is q4 otherwise."""

    KEEP = "keep"
    Q4 = "q4"
    Q8 = "q8"
    F16 = "f16"
    F32 = "f32"


class Format(StrEnum):
    """What is written."""

    BUNDLE = "bundle"
    MLC = "mlc"


@dataclass(frozen=True)
class Asked:
    """What `compile_model` is to compile, whatever it is written as."""

    source: str
    output: Path | None
    quantization: str | None
    context: int | None
    revision: str | None
    lora: Path | None
    tokenizer: Path | None


@compile_app.command(
    epilog="compile-model inspect BUNDLE [--json] describes a finished bundle; "
    "compile-model tune SOURCE measures kernels on this machine's GPU."
)
def compile_model(
    source: Annotated[
        str,
        typer.Argument(
            help="A GGUF file, a model folder, a Hub id, a .pt2 file of torch.export.save, or "
            "module.py:make_model, a function that returns a torch.nn.Module: that runs module.py."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Default: models/<model name>.")
    ] = None,
    quantization: Annotated[
        Quantization | None, typer.Option(help="Default: keep if quantized already, else q4.")
    ] = None,
    context: Annotated[
        int | None, typer.Option(min=1, help="Positions the engine allocates by default.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")] = None,
    lora: Annotated[
        Path | None, typer.Option(help="A folder with a LoRA adapter by PEFT, to merge.")
    ] = None,
    form: Annotated[
        Format, typer.Option("--format", help="mlc: weights for WebLLM instead of a bundle.")
    ] = Format.BUNDLE,
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            help="A folder with tokenizer.json, for a module or a .pt2 file. Default: its own."
        ),
    ] = None,
) -> None:
    """Compile a PyTorch language model into a folder of files that run in a browser."""
    with _translated():
        coding = None if quantization is None else quantization.value
        asked = Asked(source, output, coding, context, revision, lora, tokenizer)
        (_write_mlc if form is Format.MLC else _write_bundle)(asked)


def _write_bundle(asked: Asked) -> None:
    # Imported here: torch and tvm take seconds, and `--help` must not need them.
    from compiler.build import build

    with progress.shown_on(Console(stderr=True)) as shown:
        result = build(
            asked.source,
            output=asked.output,
            quantization=asked.quantization,
            context=asked.context,
            revision=asked.revision,
            progress=shown,
            lora=asked.lora,
            tokenizer=asked.tokenizer,
        )
    Console().print(summary.readable(result))


def _write_mlc(asked: Asked) -> None:
    from compiler.build import model_name
    from compiler.mlc.write import write_mlc

    if asked.tokenizer is not None:
        raise UsageError(
            f"--tokenizer {asked.tokenizer} is for a module or a .pt2 file, which --format mlc "
            "does not write: leave out one of the two"
        )
    with progress.shown_on(Console(stderr=True)) as shown:
        written = write_mlc(
            asked.source,
            output=asked.output or Path("models") / f"{model_name(asked.source).lower()}-mlc",
            quantization=asked.quantization,
            context=asked.context,
            revision=asked.revision,
            progress=shown,
            lora=asked.lora,
        )
    size = inspection.size(written.bytes)
    print(f"{written.folder}: {written.quantization}, {size}, {written.seconds:.1f} s")


@inspect_app.command("inspect")
def inspect_bundle(
    bundle: Annotated[Path, typer.Argument(help="A folder made by compile-model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Describe a bundle: sizes, dispatches, and what it asks of a device."""
    with _translated():
        opened = Bundle.open(bundle)
        if as_json:
            print(json.dumps(inspection.facts(opened), indent=2))
        else:
            Console().print(inspection.readable(opened))


@tune_app.command("tune")
def tune_kernels(
    source: Annotated[str, typer.Argument(help="A GGUF file, a model folder or a Hub id.")],
    software: Annotated[
        bool, typer.Option("--software", help="Tune for Chromium's renderer in software instead.")
    ] = False,
    quantization: Annotated[
        Quantization | None, typer.Option(help="As for compiling; it changes what is fastest.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of a Hub id.")] = None,
    only: Annotated[str, typer.Option(help="Shapes whose name contains this.")] = "",
    table: Annotated[
        Path | None, typer.Option(help="The table to add to. Default: the compiler's own.")
    ] = None,
) -> None:
    """Measure tilings of a model's kernels on this machine's GPU and keep the fastest."""
    with _translated():
        from compiler.kernels.gpu import tilings
        from compiler.shapes import tiled_shapes
        from web.errors import SiteError
        from web.tune import tune

        file = table or tilings.FILE
        tilings.write(tilings.measured(file) if file.exists() else {}, file)  # fails now, not later
        with progress.shown_on(Console(stderr=True)) as shown:
            kept = None if quantization is None else quantization.value
            shapes = tiled_shapes(source, kept, revision, shown)
            chosen = [spec for spec in shapes if only in tilings.name(spec)]
            if not chosen:
                names = ", ".join(map(tilings.name, shapes))
                raise UsageError(f"--only {only}: no shape has that in its name; there are {names}")
            try:
                result = tune(chosen, software=software, file=file, progress=shown)
            except SiteError as error:
                _fail(str(error), error.exit_code)
        Console().print(result)


@contextmanager
def _translated() -> Iterator[None]:
    """One line and an exit code for what a person can cause; a traceback for our faults."""
    try:
        yield
    except CompileError as error:
        _fail(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in COMPILE_EXTRA | {"playwright"}:
            raise
        extras = "compile,verify" if missing == "playwright" else "compile"
        _fail(f"{missing} is not installed: pip install 'webkiln[{extras}]'", 1)


def _fail(message: str, code: int) -> NoReturn:
    print(f"compile-model: {message}", file=sys.stderr)
    raise typer.Exit(code)


def main() -> None:
    """Entry point of the command."""
    arguments = sys.argv[1:]
    program, app = PROGRAMS.get(arguments[0] if arguments else "", ("compile-model", compile_app))
    app(arguments[app is not compile_app :], prog_name=program)


if __name__ == "__main__":
    main()

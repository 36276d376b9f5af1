"""A user's own PyTorch: `module.py:make_model` and ExportedProgram files."""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch.export import ExportedProgram

from compiler.checkpoint.base import Array, Closing, TensorInfo, TokenizerFiles, one_line
from compiler.checkpoint.card import read_front_matter
from compiler.checkpoint.exported import load_exported
from compiler.checkpoint.tokenizer_files import read_tokenizer
from compiler.errors import CheckpointError, UnsupportedModelError, UsageError
from compiler.quantize import Quantized

EXPORTED = ".pt2"
TOKENIZER = "tokenizer.json"
_FUNCTION = re.compile(r"(?P<file>.+\.py)(:(?P<function>[A-Za-z_]\w*))?")


def is_own(source: str) -> bool:
    """Whether `source` is a Python file, with or without a function's name, or a `.pt2` file."""
    return _FUNCTION.fullmatch(source) is not None or source.endswith(EXPORTED)


class OwnCheckpoint(Closing):
    """A module that a user's function made, or the program of a file, and its tensors in f32.

    Opening the former imports the Python file and calls the function: it runs the user's code.
    The tokenizer is that of the folder `tokenizer`, by default of the file's own. Raises
    CheckpointError for what is missing, damaged or fails, UsageError for a source without the
    function's name, UnsupportedModelError for something that is no module.
    """

    def __init__(self, source: str, tokenizer: Path | None = None) -> None:
        match = _FUNCTION.fullmatch(source)
        file = Path(source if match is None else match["file"]).expanduser()
        if not file.is_file():
            raise CheckpointError(f"{file} does not exist: check the path")
        self.label = Path(source).name
        self.name = file.stem
        self.module: torch.nn.Module | ExportedProgram
        if match is None:
            self.module = load_exported(file)
            tensors = {**self.module.state_dict, **self.module.constants}
        elif match["function"] is None:
            raise UsageError(f"{source} is a Python file: name its function, {source}:make_model")
        else:
            self.module = _made(file, match["function"])
            tensors = dict(self.module.named_parameters(remove_duplicate=False))
            tensors |= dict(self.module.named_buffers(remove_duplicate=False))
        self._folder = tokenizer or file.parent
        self.description = read_front_matter(self._folder)
        self._tensors = tensors
        self._require_f32()

    def _require_f32(self) -> None:
        for name, tensor in self._tensors.items():
            if tensor.is_floating_point() and tensor.dtype != torch.float32:
                kind = str(tensor.dtype).removeprefix("torch.")
                raise UnsupportedModelError(
                    f"{name} of {self.label} is {kind}: export the module in float32 "
                    "(module.float()); --quantization says how weights are stored"
                )

    @property
    def context(self) -> int | None:
        """The attribute `context` of a module: positions it can be used with."""
        limit = getattr(self.module, "context", None)
        if limit is None or (type(limit) is int and 0 < limit < 2**31):
            return limit
        raise UnsupportedModelError(
            f"the attribute `context` of {self.label} is {limit!r}: make it the number of "
            "positions, or leave it out"
        )

    @cached_property
    def tokenizer(self) -> TokenizerFiles:
        if not (self._folder / TOKENIZER).is_file():
            raise CheckpointError(
                f"{self._folder} has no {TOKENIZER}: give the folder of the model's tokenizer with "
                "--tokenizer"
            )
        return read_tokenizer(self._folder)

    @property
    def architecture(self) -> str:
        """The module's class."""
        return type(self.module).__name__

    def names(self) -> list[str]:
        return list(self._tensors)

    def info(self, name: str) -> TensorInfo:
        tensor = self._tensors[name]
        return TensorInfo(tuple(tensor.shape), "F32", tensor.numel() * 4)

    def load(self, name: str) -> Array:
        values: Array = self._tensors[name].detach().to(torch.float32, copy=True).numpy()
        return values

    def quantized(self, name: str) -> Quantized | None:
        self.info(name)
        return None


def _made(file: Path, function: str) -> torch.nn.Module:
    """What `function` of the Python file returns, ready for inference in f32 on the CPU."""
    module = _imported(file)
    make = getattr(module, function, None)
    if not callable(make):
        raise CheckpointError(f"{file} has no function {function}: name one that returns a module")
    try:
        with _importing(file):
            made = make()
    except (Exception, SystemExit) as error:  # whatever a user's code raises
        raise CheckpointError(f"{function} of {_failure(file, error)}") from error
    if not isinstance(made, torch.nn.Module):
        raise UnsupportedModelError(
            f"{function} of {file} returns a {type(made).__name__}: return a torch.nn.Module"
        )
    return made.to("cpu", torch.float32).eval().requires_grad_(False)


def _imported(file: Path) -> object:
    """The Python file as a module."""
    name = file.stem
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise CheckpointError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # dataclasses and pickles of the file look there
    try:
        with _importing(file):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # whatever a user's code raises
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise CheckpointError(_failure(file, error)) from error
    return module


@contextmanager
def _importing(file: Path) -> Iterator[None]:
    """With the file's own folder to import from, as `python file` has."""
    folder = str(file.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _failure(file: Path, error: BaseException) -> str:
    """Where in the file an error was raised, and what it says."""
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(file)]
    where = f", line {lines[-1]}" if lines else ""
    return f"{file}{where}, raises {type(error).__name__}: {one_line(error)}"

"""The weights and generated kernels all functions of a plan share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tvm_ffi

from compiler.bundle.schema import CONTROL_SLOTS, Control, Scheme
from compiler.graph.program import Recipe
from compiler.graph.quantize import Coding
from compiler.kernels.dsl import KernelFunction


@dataclass(frozen=True)
class Matrix:
    """A weight (N, K) in layout `blocked`."""

    name: str
    recipe: Recipe
    shape: tuple[int, ...]
    scheme: Scheme


@dataclass(frozen=True)
class Plain:
    """A norm, a bias, anything small: f32 in C order."""

    name: str
    recipe: Recipe
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Constants:
    """A constant the exporter found in the model, such as rotary frequencies."""

    name: str
    values: npt.NDArray[Any] = field(compare=False)

    @staticmethod
    def of(values: npt.NDArray[Any]) -> Constants:
        """Named by content; booleans and 64-bit integers become i32."""
        if values.dtype.kind in "bui":
            values = values.astype(np.int32)
        data = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<")))
        digest = hashlib.sha256(data.tobytes() + str(data.dtype).encode()).hexdigest()
        return Constants(f"constant.{digest[:12]}", data)

    @staticmethod
    def control(rows: int) -> Constants:
        """What kernels read in place of the state `control` where all of `rows` are real."""
        values = np.zeros(CONTROL_SLOTS, np.int32)
        values[[Control.COUNT, Control.CONTEXT]] = rows
        return Constants.of(values)


class Store:
    """Collects what launches refer to; the same recipe is stored once, under one name."""

    def __init__(self, coding: Coding) -> None:
        self.coding = coding
        self.tensors: dict[str, Matrix | Plain | Constants] = {}
        self._generic: dict[int, KernelFunction] = {}

    def matrix(self, name: str, recipe: Recipe, shape: tuple[int, ...]) -> Matrix:
        matrix = Matrix(name, recipe, shape, self.coding.scheme(recipe, shape[1]))
        self.tensors[matrix.name] = matrix
        return matrix

    def plain(self, plain: Plain) -> str:
        """Registers a plain weight; a matrix of the same recipe keeps its own copy."""
        name = f"{plain.name} (plain)" if len(plain.shape) > 1 else plain.name
        self.tensors[name] = Plain(name, plain.recipe, plain.shape)
        return name

    def constant(self, constant: Constants) -> str:
        self.tensors[constant.name] = constant
        return constant.name

    def generic(self, kernel: KernelFunction) -> KernelFunction:
        """The first kernel seen of this structure, so that equal ones are compiled once."""
        anonymous = kernel.function.without_attr("global_symbol")
        key = int(tvm_ffi.structural_hash(anonymous))
        return self._generic.setdefault(key, kernel)

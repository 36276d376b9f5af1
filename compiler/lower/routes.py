"""Rows with experts, sorted by expert for who takes them so: once for all products of a layer."""

from __future__ import annotations

from collections.abc import Callable

from compiler.kernels.sets import KernelSet
from compiler.kernels.specs import Linear, Routing
from compiler.lower.launches import Value


class Routes:
    """The sorted rows of one function's layers."""

    def __init__(
        self,
        kernels: KernelSet,
        rows: int,
        new: Callable[[int], Value],
        launch: Callable[..., None],
    ) -> None:
        """`rows` are tokens; `new` makes a buffer of so many bytes, `launch` takes a kernel and its
        operands."""
        self._fused, self._rows = kernels.fused, rows
        self._new, self._launch = new, launch
        self._orders: dict[tuple[Value, Routing], Value] = {}

    def of(self, chosen: Value, spec: Linear) -> Value:
        """The rows' experts, `chosen`, as the kernel of `spec` takes them."""
        routing = None if self._fused is None else self._fused.routing(spec)
        if self._fused is None or routing is None:
            return chosen
        if (chosen, routing) not in self._orders:
            order = self._orders[chosen, routing] = self._new(routing.size * 4)
            self._launch(self._fused.route(routing, self._rows), chosen, order)
        return self._orders[chosen, routing]

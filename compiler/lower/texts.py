"""Launches of `embed_<N>`: a whole text in one run."""

from __future__ import annotations

from tvm import relax

from compiler.graph import ops
from compiler.graph.program import Program
from compiler.kernels.sets import KernelSet
from compiler.kernels.specs import CacheShape
from compiler.lower.launches import Listing, Value
from compiler.lower.steps import Lister, Model
from compiler.lower.tensors import Store

OUTPUT = "embedding"


class TextLister(Lister):
    """Lists `main(ids, real, weights...)`, whose result is the text's vector.

    No layer reads another's keys and values, and no run an earlier one's: layers whose caches have
    one shape share one.
    """

    def __init__(
        self, program: Program, model: Model, store: Store, kernels: KernelSet, rows: int
    ) -> None:
        super().__init__(program, model, store, kernels, rows)
        self._shared: dict[int, int] = {}  # by layer, the one whose cache it uses

    def _cache(self, call: relax.Call, depth: int) -> CacheShape:
        layer, shape = int(ops.setting(call, "layer")), super()._cache(call, depth)
        self._shared[layer] = next(n for n, known in self.caches.items() if known == shape)
        if self._shared[layer] != layer:
            del self.caches[layer]
        return shape

    def _kv(self, layer: int) -> Value:
        return super()._kv(self._shared[layer])

    def run(self, *, sample: bool = False) -> Listing:
        main = self.program.module["main"]
        kernel = self.kernels.text(self.listing.rows, self.model.context)
        self._inputs(kernel, *main.params[:2])
        self._walk()
        self.listing.outputs[OUTPUT] = self._tuple(main.body.body)[0]
        return self.listing

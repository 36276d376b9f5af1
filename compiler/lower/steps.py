"""From a lowered program to the launches of its kernels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from tvm import relax

from compiler.errors import UnsupportedModelError
from compiler.graph import ops
from compiler.graph.program import Program, Recipe, Rows
from compiler.graph.quantize import describe
from compiler.kernels.dsl import KernelFunction
from compiler.kernels.sets import Fused, KernelSet, Speculation
from compiler.kernels.specs import (
    Append,
    Attend,
    CacheShape,
    Combine,
    Linear,
    ProjectAppend,
    Prologue,
    Sum,
)
from compiler.lower.generic import buffer_names, device_bytes, kernel_of, require_one_value
from compiler.lower.launches import CONTROL, COUNTS, SAMPLING, TOKENS, Launch, Listing, Value
from compiler.lower.pending import Layer, PendingSplits, PendingSum
from compiler.lower.routes import Routes
from compiler.lower.tensors import Constants, Matrix, Plain, Store


@dataclass(frozen=True)
class Model:
    """What kernels must know of the model besides its graph."""

    vocabulary: int
    context: int  # the most positions it can be used with


class Lister:
    """Walks a program's bindings and emits launches."""

    def __init__(
        self, program: Program, model: Model, store: Store, kernels: KernelSet, rows: int
    ) -> None:
        self.program, self.model, self.store, self.kernels = program, model, store, kernels
        self.listing = Listing(rows)
        self.values: dict[relax.Var, Value | tuple[Value, ...]] = {}
        self.caches: dict[int, CacheShape] = {}
        self._scratch = 0
        self._deferred: dict[Value, PendingSum] = {}  # sums that a layer will compute
        self._splits: dict[Value, PendingSplits] = {}
        self._control = CONTROL
        self._routes = Routes(kernels, rows, self._new, self._launch)
        self._moved: dict[Value, Value] = {}  # values that a kernel writes elsewhere
        self._emitters: dict[str, Callable[[relax.Call, Value], None]] = {
            "webkiln.linear": self._linear,
            "webkiln.expert_linear": self._expert_linear,
            "webkiln.embed": self._embed,
            "webkiln.rms_norm": self._norm,
            "webkiln.layer_norm": self._norm,
            "webkiln.append": self._append,
            "webkiln.add_norm": self._add_norm,
            "webkiln.place": self._place,
            "webkiln.project_append": self._project_append,
            "webkiln.attend": self._attend,
        }

    def run(self, *, sample: bool) -> Listing:
        """Lists `main`; with `sample` its result is logits and the next token is chosen: those of
        several rows verify guesses."""
        main = self.program.module["main"]
        rows = self.listing.rows
        verifies = sample and rows > 1
        inputs = self._speculation.draft if verifies else self.kernels.inputs
        ids, positions, *last = (p for p in main.params if p.name not in self.program.weights)
        if last:
            self._whole(ids, positions, last[0])
        else:
            self._inputs(inputs(rows, self.model.context), ids, positions)
        self._walk()
        results = self._tuple(main.body.body)
        self._keep(results)
        if sample:
            sampling = self._verify if verifies else self._sample
            sampling(results[0])
        return self.listing

    def _keep(self, results: tuple[Value, ...]) -> None:
        """The last results become the states of the next token, now that all have been read."""
        states = self.program.states
        for state, value in zip(states, results[len(results) - len(states) :], strict=True):
            kernel = self.kernels.keep(prod(state.shape))
            self._launch(kernel, value, CONTROL, _state(state.name, prod(state.shape) * 4))

    def _walk(self) -> None:
        for block in self.program.module["main"].body.blocks:
            for binding in block.bindings:
                self._bind(binding.var, binding.value)

    def _inputs(self, kernel: KernelFunction, ids: relax.Var, positions: relax.Var) -> None:
        for param in (ids, positions):
            self.values[param] = self._new(prod(ops.shape(param)) * 4)
        self._launch(kernel, CONTROL, TOKENS, self._value(ids), self._value(positions))

    def _whole(self, ids: relax.Var, positions: relax.Var, last: relax.Var) -> None:
        """Where the whole prefix is recomputed: all positions, and the one to go on from."""
        context = self.model.context
        self._inputs(self.kernels.whole(context, context), ids, positions)
        token = self._new(4)
        self.values[last] = self._new(4)
        following = self.kernels.inputs(1, context)
        self._launch(following, CONTROL, TOKENS, token, self._value(last))
        constant = self.store.constant(Constants.control(context))
        self._control = Value("weight", constant, 0, "values")

    def _sample(self, logits: Value) -> None:
        scaled = self._new(self.model.vocabulary * 4)
        adjust = self.kernels.adjust(self.model.vocabulary)
        self._launch(adjust, logits, COUNTS, SAMPLING, scaled)
        choose = self.kernels.choose(self.model.vocabulary, self.model.context)
        self._launch(choose, scaled, SAMPLING, CONTROL, TOKENS, COUNTS)
        self.listing.outputs["logits"] = logits

    def _verify(self, logits: Value) -> None:
        rows, model, kernels = self.listing.rows, self.model, self._speculation
        scaled, choices = self._new(rows * model.vocabulary * 4), self._new(rows * 4)
        adjust = kernels.adjust(model.vocabulary, model.context, rows)
        self._launch(adjust, logits, COUNTS, SAMPLING, CONTROL, TOKENS, scaled)
        choose = kernels.choose(model.vocabulary, rows)
        self._launch(choose, scaled, SAMPLING, CONTROL, choices)
        accept = kernels.accept(model.vocabulary, model.context, rows)
        self._launch(accept, choices, CONTROL, TOKENS, COUNTS)

    def _bind(self, var: relax.Var, value: relax.Expr) -> None:
        name = ops.name(value)
        if name == "relax.reshape":
            self.values[var] = self._value(value.args[0])
        elif name == "relax.call_tir":
            self._generic(var, value)
        elif name == "webkiln.state":
            self.values[var] = _state(str(ops.setting(value, "of")), prod(ops.shape(var)) * 4)
        elif name in self._emitters:
            out = self._new(prod(ops.shape(var)) * 4)
            self.values[var] = out
            self._emitters[name](value, out)
        elif isinstance(value, relax.Var):
            self.values[var] = self.values[value]
        elif isinstance(value, relax.TupleGetItem):
            self.values[var] = self._tuple(value.tuple_value)[value.index]
        elif isinstance(value, relax.Tuple):
            self.values[var] = tuple(self._value(field) for field in value.fields)
        else:
            raise UnsupportedModelError(f"{name or type(value).__name__} has no place in a plan")

    def _tuple(self, expr: relax.Expr) -> tuple[Value, ...]:
        values = self.values[expr]
        return values if isinstance(values, tuple) else (values,)

    def _value(self, expr: relax.Expr) -> Value:
        """The buffer of a tensor: a result, a plain weight or a constant."""
        if isinstance(expr, relax.Var) and expr in self.values:
            found = self.values[expr]
            value = found[0] if isinstance(found, tuple) else found
            return self._moved.get(value, value)
        if isinstance(expr, relax.Var):
            recipe = self._recipe(expr)
            name = self.store.plain(Plain(describe(recipe), recipe, ops.shape(expr)))
        else:
            name = self.store.constant(Constants.of(expr.value.numpy()))
        return Value("weight", name, prod(ops.shape(expr)) * 4, "values")

    def _recipe(self, var: relax.Var) -> Recipe:
        return self.program.weights[var.name]

    def _matrix(self, var: relax.Var) -> tuple[Matrix, list[Value]]:
        """A quantizable weight and its buffers, as kernels declare them."""
        recipe = self._recipe(var)
        matrix = self.store.matrix(describe(recipe), recipe, ops.shape(var))
        parts = ["codes", "scales"] if matrix.scheme.group else ["codes"]
        return matrix, [Value("weight", matrix.name, 0, part) for part in parts]

    def _new(self, size: int) -> Value:
        self._scratch += 1
        return Value("scratch", str(self._scratch), size)

    def _launch(
        self,
        kernel: KernelFunction,
        *values: Value,
        layer: int | None = None,
        spec: Linear | Attend | ProjectAppend | None = None,
        reads: float = 1.0,
        by_token: bool = True,
    ) -> None:
        if "control" in kernel.arguments and CONTROL not in values:
            values = (*values, self._control)  # how many rows are real: CPU kernels skip the others
        if len(values) != len(kernel.arguments):
            raise AssertionError(f"{kernel.name} takes {kernel.arguments}, got {len(values)}")
        self.listing.launches.append(Launch(kernel, values, layer, spec, reads, by_token))

    def _generic(self, var: relax.Var, call: relax.Call) -> None:
        fields = var.ty.fields if hasattr(var.ty, "fields") else [var.ty]
        outs = tuple(self._new(device_bytes(kind)) for kind in fields)
        self.values[var] = outs if len(outs) > 1 else outs[0]
        function = self.program.module[call.args[0]]
        kernel = self.store.generic(
            kernel_of(f"{ops.callee(call)}_{self.listing.rows}", function, len(outs))
        )
        inputs = [self._value(arg) for arg in call.args[1].fields]
        require_one_value(buffer_names(function), [*inputs, *outs])
        self._launch(kernel, *inputs, *outs)

    def _linear(self, call: relax.Call, out: Value) -> None:
        layer = self._layer(call)
        residual = [] if layer.residual is None else [layer.residual]
        kept = [] if layer.sum is None else [layer.sum]
        values = [*layer.inputs, *self._vectors(layer.vectors), *residual, out, *kept]
        by_token = layer.spec.rows == self.listing.rows
        kernel = self.kernels.linear(layer.spec)
        self._launch(kernel, *values, spec=layer.spec, by_token=by_token)

    def _layer(self, call: relax.Call) -> Layer:
        """A linear layer's spec and operands, those of its heads excepted."""
        operands = ops.operands(call)
        x, weight, *rest = operands[: ops.linear_operands(call)]
        matrix, parts = self._matrix(weight)
        settings = {key: ops.setting(call, key) for key in ("bias", "residual", "gated")}
        bias = [rest.pop(0)] if settings["bias"] else []
        residual = self._value(rest.pop(0)) if settings["residual"] else None
        value = self._value(x)
        summed = self._deferred.pop(value, None)
        inputs = [value] if summed is None else [summed.x, summed.skip]
        splits = self._splits.get(value)
        inputs += [] if splits is None else [splits.log_sums]
        vectors = [*([] if summed is None else [summed.weight]), *rest, *bias]
        before = None if summed is None else summed.spec
        norm = str(ops.setting(call, "norm")), float(ops.setting(call, "epsilon"))
        spec = Linear(
            rows=ops.shape(call)[0],
            width=ops.shape(weight)[0] // (2 if settings["gated"] else 1),
            columns=ops.shape(weight)[1],
            scheme=matrix.scheme,
            **{key: bool(setting) for key, setting in settings.items()},
            activation=str(ops.setting(call, "activation")),
            prologue=Prologue(*norm, before, None if splits is None else splits.spec),
        )
        kept = value if before is not None and before.kept else None
        return Layer(spec, [*inputs, *parts], vectors, residual, kept)

    def _expert_linear(self, call: relax.Call, out: Value) -> None:
        x, chosen, weight = ops.operands(call)
        matrix, parts = self._matrix(weight)
        rows, width = ops.shape(call)
        experts, shared = int(ops.setting(call, "experts")), rows // ops.shape(x)[0]
        columns, scheme = ops.shape(weight)[1], matrix.scheme
        spec = Linear(rows, width, columns, scheme, experts=experts, shared=shared)
        taken = self._routes.of(self._value(chosen), spec)
        operands = (self._value(x), taken, *parts, out)
        reads = min(1.0, rows / self.listing.rows / experts)
        self._launch(self.kernels.linear(spec), *operands, reads=reads)

    def _vectors(self, vectors: list[relax.Var]) -> list[Value]:
        """The one buffer that holds them all, if there are any."""
        if len(vectors) < 2:
            return [self._value(vector) for vector in vectors]
        recipe = Rows(tuple(self._recipe(vector) for vector in vectors))
        size = sum(prod(ops.shape(vector)) for vector in vectors)
        name = self.store.plain(Plain(describe(recipe), recipe, (size,)))
        return [Value("weight", name, size * 4, "values")]

    def _embed(self, call: relax.Call, out: Value) -> None:
        ids, table = ops.operands(call)
        matrix, parts = self._matrix(table)
        rows, columns = ops.shape(call)
        kernel = self.kernels.embed(rows, ops.shape(table)[0], columns, matrix.scheme)
        reads = rows / self.listing.rows / ops.shape(table)[0]
        self._launch(kernel, self._value(ids), *parts, out, reads=reads)

    def _norm(self, call: relax.Call, out: Value) -> None:
        is_rms = ops.name(call) == "webkiln.rms_norm"
        make = self.kernels.rms_norm if is_rms else self.kernels.layer_norm
        shape = ops.shape(call)
        kernel = make(prod(shape[:-1]), shape[-1], float(ops.setting(call, "epsilon")))
        operands = (self._value(arg) for arg in ops.operands(call))
        self._launch(kernel, *operands, out, by_token=self._by_token(shape))

    def _by_token(self, shape: tuple[int, ...]) -> bool:
        """Whether rows of the last axis are in order of tokens: not if heads come first."""
        rows = self.listing.rows
        outer = [extent for extent in shape[:-1] if extent != 1]
        return prod(outer) == rows or (outer[0] == rows and rows not in outer[1:])

    def _add_norm(self, call: relax.Call, out: Value) -> None:
        x, skip, weight = ops.operands(call)
        epsilon, shape = float(ops.setting(call, "epsilon")), ops.shape(call)
        if ops.setting(call, "deferred"):
            spec = Sum(epsilon, bool(ops.setting(call, "kept")))
            self._deferred[out] = PendingSum(self._value(x), self._value(skip), weight, spec)
            return
        kernel = self._fused.add_norm(prod(shape[:-1]), shape[-1], epsilon)
        operands = (self._value(operand) for operand in (x, skip, weight))
        self._launch(kernel, *operands, out, by_token=self._by_token(shape))

    def _append(self, call: relax.Call, out: Value) -> None:
        layer = int(ops.setting(call, "layer"))
        spec = self._heads(call, bool(ops.setting(call, "packed")), "epsilon")
        inputs = [self._value(arg) for arg in ops.operands(call)]
        kernel = self.kernels.append(spec)
        self._launch(kernel, *inputs, CONTROL, self._kv(layer), out, layer=layer)

    def _heads(self, call: relax.Call, packed: bool, epsilon: str) -> Append:
        rows, heads, depth = ops.shape(call)
        return Append(
            rows=rows,
            heads=heads,
            cache=self._cache(call, depth),
            packed=packed,
            rotary=int(ops.setting(call, "rotary")),
            normed=bool(ops.setting(call, "normed")),
            epsilon=float(ops.setting(call, epsilon)),
        )

    def _place(self, call: relax.Call, out: Value) -> None:
        rows, columns = ops.shape(call)
        kernel = self._fused.place(rows, columns // 2)
        self._launch(kernel, *(self._value(arg) for arg in ops.operands(call)), CONTROL, out)

    def _project_append(self, call: relax.Call, out: Value) -> None:
        layer = self._layer(call)
        place, *norms = ops.operands(call)[ops.linear_operands(call) :]
        spec = ProjectAppend(layer.spec, self._heads(call, True, "head_epsilon"))
        vectors = self._vectors([*layer.vectors, *norms])
        number = int(ops.setting(call, "layer"))
        whole = replace(out, bytes=spec.size * 4)
        if layer.sum is not None:  # follows the query: there is no binding to spare
            self._moved[layer.sum] = replace(layer.sum, name=out.name, offset=spec.sum_start * 4)
        values = [*layer.inputs, *vectors, self._value(place), self._kv(number), whole]
        self._launch(self._fused.project_append(spec), *values, layer=number, spec=spec)

    @property
    def _fused(self) -> Fused:
        if self.kernels.fused is None:
            raise AssertionError("this target has no fused kernels")
        return self.kernels.fused

    @property
    def _speculation(self) -> Speculation:
        if self.kernels.speculation is None:
            raise AssertionError("this target has no kernels to verify with")
        return self.kernels.speculation

    def _attend(self, call: relax.Call, out: Value) -> None:
        rows, heads, depth = ops.shape(call)
        layer = int(ops.setting(call, "layer"))
        spec = Attend(
            rows=rows,
            heads=heads,
            cache=self._cache(call, depth),
            scale=float(ops.setting(call, "scale")),
            window=int(ops.setting(call, "window")),
            softcap=float(ops.setting(call, "softcap")),
            slopes=bool(ops.setting(call, "slopes")),
            sinks=bool(ops.setting(call, "sinks")),
            causal=bool(ops.setting(call, "causal")),
        )
        query, *per_head = (self._value(operand) for operand in ops.operands(call))
        operands = (query, self._kv(layer), CONTROL, *per_head)
        splits = self._fused.splits(spec) if self.kernels.fused else 1
        spec = replace(spec, splits=splits)
        known = None if per_head else spec  # self-tests make up no operands for heads
        if splits == 1:
            self._launch(self.kernels.attend(spec), *operands, out, layer=layer, spec=known)
            return
        deferred = bool(ops.setting(call, "deferred"))
        parts = replace(out if deferred else self._new(0), bytes=out.bytes * splits)
        found = PendingSplits(self._new(splits * heads * 4), Combine(heads, splits))
        results = (parts, found.log_sums)
        self._launch(self.kernels.attend(spec), *operands, *results, layer=layer, spec=known)
        if deferred:
            self._splits[out] = found
        else:
            self._launch(self._fused.combine(found.spec, depth), *results, out, layer=layer)

    def _kv(self, layer: int) -> Value:
        return Value("state", f"kv.{layer}", 0)

    def _cache(self, call: relax.Call, depth: int) -> CacheShape:
        layer, kv_heads = int(ops.setting(call, "layer")), int(ops.setting(call, "kv_heads"))
        if depth % 4:
            raise UnsupportedModelError(f"a head depth of {depth} is not a multiple of 4")
        shape = CacheShape(self.model.context, kv_heads, depth, self.kernels.cache_bytes)
        return self.caches.setdefault(layer, shape)


def _state(name: str, size: int) -> Value:
    return Value("state", f"state.{name}", size)

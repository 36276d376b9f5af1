"""A user's own module, from token ids to logits, made ready for the pipeline.

It is exported for any number of tokens. Where attention is causal, one step runs on the new tokens
alone; everything else is recomputed from the whole prefix for each token.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule, Node

from compiler.checkpoint.base import one_line
from compiler.errors import UnsupportedModelError
from compiler.graph.program import Program
from compiler.trace.importer import import_program
from compiler.trace.rehearse import differ, most_positions, rehearse
from compiler.trace.sequence import NotCached, aten, plain, use_cache

POSITIONS = ("positions", "position_ids")  # what a second argument that takes them is called
PROBED = 8  # tokens of the first run
DEFAULT_CONTEXT = 4096  # positions of a module that has no limit
RECOMPUTED = 256  # positions of a model that is recomputed, unless told otherwise


@dataclass(frozen=True)
class OwnModel:
    """A module and what was found out about it."""

    name: str
    graph: GraphModule  # (ids, positions) -> logits, or (ids, positions, last) -> those of one row
    vocabulary: int
    context: int
    parameters: int
    recomputed: str  # why each token needs the whole prefix; "" where the cache serves

    def trace(self, rows: int) -> Program:
        """`main(ids, positions, weights...) -> (logits,)` of `rows` tokens; with a third input, the
        row that logits are wanted of, where the prefix is recomputed.

        Raises UnsupportedModelError naming the construct that cannot be translated.
        """
        inputs = torch.zeros(1, rows, dtype=torch.int32)
        last = [torch.zeros(1, dtype=torch.int32)] if self.recomputed else []
        try:
            exported = _export(_Wrapped(self.graph), [inputs, inputs.clone(), *last], None)
        except Exception as error:  # torch.export raises many kinds, all about the model's code
            raise UnsupportedModelError(
                f"torch.export cannot trace {self.name} for {rows} tokens: {one_line(error)}"
            ) from error
        return import_program(exported)


class _Wrapped(torch.nn.Module):
    """Gives names the prefix that the importer takes off again."""

    def __init__(self, model: GraphModule) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.model(*inputs)


def prepare(
    module: torch.nn.Module | ExportedProgram, name: str, limit: int | None, wanted: int | None
) -> OwnModel:
    """Finds out how to run `module`: `limit` positions at most, `wanted` by the user.

    Raises UnsupportedModelError for what is no causal map from ids (1, rows) to logits (1, rows,
    vocabulary), naming what is wrong.
    """
    subject = Original.of(module, name)
    vocabulary = subject.vocabulary(min(PROBED, limit or PROBED, wanted or PROBED))
    parameters = sum(p.numel() for p in subject.module.parameters())
    exported = module if isinstance(module, ExportedProgram) else None
    try:
        exported = exported or subject.exported()
        least, most = _rows_range(exported)
        if least > 2:
            raise NotCached(f"code for at least {least} tokens")
        known = [n for n in (limit, most) if n is not None]
        context = min(known, default=wanted or DEFAULT_CONTEXT)
        graph = subject.graph(exported)
        use_cache(graph, context)
        context = most_positions(graph, context)
        rehearse(graph, subject.logits, vocabulary, context)
        return OwnModel(name, graph, vocabulary, context, parameters, "")
    except NotCached as reason:
        why = str(reason)
    most = None if exported is None else _rows_range(exported)[1]
    rows = min(n for n in (limit, most, wanted or RECOMPUTED) if n is not None)
    subject.logits(torch.zeros(1, rows, dtype=torch.int32))  # fails where tables have fewer
    graph = subject.graph(exported or subject.exported(rows))
    take_last(graph)
    _require_causal(graph, subject, vocabulary, rows)
    return OwnModel(name, graph, vocabulary, rows, parameters, why)


@dataclass(frozen=True)
class Original:
    """The module as it came, and what it says."""

    module: torch.nn.Module
    name: str
    takes_positions: bool

    @staticmethod
    def of(module: torch.nn.Module | ExportedProgram, name: str) -> Original:
        if not isinstance(module, ExportedProgram):
            return Original(module, name, _takes_positions(module, name))
        inputs = len(module.graph_signature.user_inputs)
        _require_rows(module, name)
        return Original(plain(module.module(), inputs), name, True)

    def logits(self, ids: torch.Tensor) -> torch.Tensor:
        """What it says after each of ids (1, n)."""
        positions = [torch.arange(ids.shape[1])[None]] if self.takes_positions else []
        try:
            with torch.no_grad():
                out: torch.Tensor = self.module(ids.long(), *positions)
        except Exception as error:  # whatever a user's code raises
            raise UnsupportedModelError(
                f"{self.name} fails on {ids.shape[1]} token ids: "
                f"{type(error).__name__}: {one_line(error)}; --context says how many there can be"
            ) from error
        return out

    def vocabulary(self, rows: int) -> int:
        """How many tokens it knows, once it has been seen to give logits of them."""
        out: object = self.logits(torch.zeros(1, rows, dtype=torch.int32))
        if not isinstance(out, torch.Tensor):
            raise UnsupportedModelError(
                f"{self.name} returns a {type(out).__name__}: return logits alone, a tensor of "
                "shape (1, rows, vocabulary)"
            )
        fits = out.ndim == 3 and out.shape[:2] == (1, rows) and out.shape[2] > 0
        if not fits or not out.is_floating_point():
            raise UnsupportedModelError(
                f"{self.name} returns {str(out.dtype).removeprefix('torch.')} of shape "
                f"{tuple(out.shape)} for {rows} token ids: return logits of shape (1, {rows}, "
                "vocabulary), those after every token"
            )
        return out.shape[2]

    def exported(self, rows: int | None = None) -> ExportedProgram:
        """The program for `rows` tokens; for any number of them, or NotCached, without."""
        inputs = [torch.zeros(1, rows or PROBED, dtype=torch.int32)]
        inputs += [inputs[0].clone()] if self.takes_positions else []
        dynamic = None if rows else tuple({1: Dim.DYNAMIC} for _ in inputs)
        try:
            return _export(self.module, inputs, dynamic)
        except Exception as error:  # torch.export raises many kinds, all about the model's code
            if rows is None:
                raise NotCached(f"code for one number of tokens ({one_line(error)})") from error
            raise UnsupportedModelError(
                f"torch.export cannot trace {self.name}: {one_line(error)}"
            ) from error

    def graph(self, exported: ExportedProgram) -> GraphModule:
        """A copy of its graph to change."""
        inputs = len(exported.graph_signature.user_inputs)
        return plain(exported.module(), inputs)


def _export(module: torch.nn.Module, inputs: list[torch.Tensor], dynamic: Any) -> ExportedProgram:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(module, tuple(inputs), dynamic_shapes=dynamic, strict=False)


def _takes_positions(module: torch.nn.Module, name: str) -> bool:
    """Whether its second argument is that of positions. No other may be required."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    needed = [p.name for p in parameters if p.default is p.empty and p.kind in (0, 1, 3)]
    takes = len(parameters) > 1 and parameters[1].name in POSITIONS
    if not parameters or len(needed) > 1 + takes:
        raise UnsupportedModelError(
            f"forward of {name} takes ({', '.join(p.name for p in parameters)}): it is called with "
            "token ids, and with positions if its second argument is called that"
        )
    return takes


def _require_rows(program: ExportedProgram, name: str) -> None:
    """Refuses a program that takes something else than ids (1, any number)."""
    shapes = [
        node.meta["val"].shape
        for node in program.graph.nodes
        if node.name in program.graph_signature.user_inputs
    ]
    fixed = [s for s in shapes if len(s) != 2 or s[0] != 1 or isinstance(s[1], int)]
    if fixed or not 1 <= len(shapes) <= 2:
        what = " and ".join(str(tuple(s)) for s in shapes)
        raise UnsupportedModelError(
            f"{name} takes inputs of shape {what}: export it for ids of shape (1, rows) with any "
            "number of rows, torch.export.export(module, (torch.zeros(1, 8, dtype=torch.long),), "
            "dynamic_shapes=({1: torch.export.Dim.DYNAMIC},))"
        )


def _rows_range(program: ExportedProgram) -> tuple[int, int | None]:
    """The least and the largest number of tokens the program was exported for."""
    ids = next(n for n in program.graph.nodes if n.name in program.graph_signature.user_inputs)
    limits = program.range_constraints.get(ids.meta["val"].shape[1].node.expr)
    if limits is None:
        return 2, None
    upper = limits.upper
    return int(limits.lower), int(upper) if upper.is_Integer and upper < 1 << 31 else None


def _require_causal(graph: GraphModule, subject: Original, vocabulary: int, rows: int) -> None:
    """Padding comes after the tokens there are: neither it nor its length may matter."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(vocabulary, (2, rows), generator=generator, dtype=torch.int32)
    positions = torch.arange(rows, dtype=torch.int32)[None]
    for count in {max(1, rows // 3), rows - 1}:
        padded = [torch.cat([ids[:1, :count], ids[i : i + 1, count:]], 1) for i in (0, 1)]
        last = torch.tensor([count - 1], dtype=torch.int32)
        with torch.no_grad():
            first, second = (graph(each, positions, last) for each in padded)
        wanted = subject.logits(ids[:1, :count])[:, -1:]
        why = "later tokens" if differ(second, first) else "the number of tokens"
        if differ(first, wanted) or differ(second, first):
            raise UnsupportedModelError(
                f"{subject.name} is not causal: its logits after token {count} of {rows} depend on "
                f"{why}, so that it cannot generate text one token at a time"
            )


# What gives one token's result from that token alone, as its first operand has it.
_BY_ROW = {
    aten.linear.default,
    aten.matmul.default,
    aten.mul.Tensor,
    aten.div.Tensor,
    aten.tanh.default,
    aten.layer_norm.default,
}


def take_last(module: GraphModule) -> None:
    """Adds the input `last` (1,), a row, and leaves of the logits those of that row; what makes
    logits of hidden states runs on that row alone."""
    graph = module.graph
    inputs = list(graph.find_nodes(op="placeholder"))
    with graph.inserting_after(inputs[-1]):
        last = graph.placeholder("last")
    reader = next(node for node in graph.nodes if node.op == "output")
    node = reader.args[0]
    while node.target in _BY_ROW and len(node.users) == 1 and _alone(node):
        reader, node = node, node.args[0]
    with graph.inserting_after(node):
        taken = graph.call_function(aten.index_select.default, (node, 1, last))
    reader.update_arg(0, taken)
    module.recompile()


def _alone(node: Node) -> bool:
    """Whether no operand but the first, which has rows on axis 1 of 3, has one for each token."""
    first, *others = node.args
    small = all(x.op == "get_attr" for x in others if isinstance(x, Node))
    return isinstance(first, Node) and first.meta["val"].ndim == 3 and small

"""The graph passes, in order."""

from __future__ import annotations

from tvm import relax

from compiler.graph import attention, canonicalize, fuse, norms, ops, order
from compiler.graph.program import Program
from compiler.graph.rewrite import Rule, View, dump, rewrite


def passes(
    same_coding: fuse.SameCoding, orders: order.Orders = order.none
) -> list[tuple[str, Rule]]:
    """(name, rule) of every pass. Each is right whether or not any other recognises its pattern."""
    return [
        ("drop-empty", canonicalize.drop_empty),
        ("drop-identity", canonicalize.drop_identity),
        ("fold-weight-arithmetic", canonicalize.fold_weight_arithmetic),
        ("experts", canonicalize.canonical_experts),
        ("linear", canonicalize.canonical_linear),
        ("bias", canonicalize.canonical_bias),
        ("embedding", canonicalize.canonical_embedding),
        ("activation", canonicalize.canonical_activation),
        ("rms-norm", norms.recognise_rms_norm),
        ("norm-before-transpose", norms.before_transpose),
        ("layer-norm", norms.recognise_layer_norm),
        ("attention", attention.lower_attention(same_coding)),
        ("gated-mlp", fuse.fuse_gated_mlp(same_coding)),
        ("fuse-activation", fuse.fuse_activation),
        ("chain-residuals", fuse.chain_residuals),
        ("fuse-residual", fuse.fuse_residual),
        ("sort-inputs", order.sort_inputs(orders)),
    ]


def optimise(
    program: Program,
    same_coding: fuse.SameCoding,
    logits: bool,
    orders: order.Orders = order.none,
) -> Program:
    """Runs every pass; without `logits` the program only fills the KV cache (prefill)."""
    for index, (name, rule) in enumerate(passes(same_coding, orders)):
        program = rewrite(program, rule)
        dump(program, index, name)
    if not logits:
        program = rewrite(program, _cache_only(len(program.states)))
        dump(program, len(passes(same_coding)), "cache-only")
    return program


def _cache_only(states: int) -> Rule:
    """The result becomes what was appended to the cache, and the new values of the last results,
    so many `states`: the LM head is dead code then."""

    def rule(view: View, var: relax.Var, value: relax.Expr) -> relax.Expr | None:
        if not isinstance(value, relax.Tuple) or var != view.result:
            return None
        appended = [b.var for b in view.bindings if ops.name(b.value) == "webkiln.append"]
        fields = list(value.fields)
        return relax.Tuple([*appended, *fields[len(fields) - states :]])

    return rule

"""Mixtures of experts: products with the rows' own experts as an opaque operator.

Registered through transformers' ExpertsInterface. Routers, gates, activations and the weighing of
experts stay the model's own code; only products with the stacked weights are ours, because those of
experts that no token was sent to must not be read.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

IMPLEMENTATION = "webkiln"
OP = "expert_linear.default"  # the name the importer looks converters up by


@torch.library.custom_op("webkiln::expert_linear", mutates_args=())
def expert_linear(
    x: torch.Tensor, experts: torch.Tensor, weight: torch.Tensor, transposed: bool
) -> torch.Tensor:
    """Row i of the result is row i // k of x times the weight of experts[i]: k rows of the result
    share a row of x.

    x (rows / k, K), experts (rows,), weight (E, N, K), or (E, K, N) if transposed -> (rows, N).
    """
    raise NotImplementedError("exists for tracing only")


@expert_linear.register_fake
def _(
    x: torch.Tensor, experts: torch.Tensor, weight: torch.Tensor, transposed: bool
) -> torch.Tensor:
    return x.new_empty(experts.shape[0], weight.shape[2 if transposed else 1])


def _experts(
    self: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """The function transformers calls in place of a loop over experts.

    hidden_states (tokens, H), top_k_index and top_k_weights (tokens, k) -> (tokens, H).
    """
    tokens, count = top_k_index.shape
    experts = top_k_index.reshape(-1)

    def product(x: torch.Tensor, name: str) -> torch.Tensor:
        out: torch.Tensor = expert_linear(x, experts, getattr(self, name), bool(self.is_transposed))
        return out + getattr(self, f"{name}_bias")[experts] if self.has_bias else out

    if self.has_gate:
        inner = self._apply_gate(product(hidden_states, "gate_up_proj"))
    else:
        inner = self.act_fn(product(hidden_states, "up_proj"))
    out = product(inner, "down_proj")
    if self.has_post_expert_norm:
        out = self.post_expert_norm(out)
    weighed = out * top_k_weights.reshape(-1, 1).to(out.dtype)
    summed: torch.Tensor = weighed.reshape(tokens, count, -1).sum(dim=1)
    return summed.to(hidden_states.dtype)


def register() -> None:
    """Makes `experts_implementation="webkiln"` known to transformers; may be called again."""
    ALL_EXPERTS_FUNCTIONS.register(IMPLEMENTATION, _experts)

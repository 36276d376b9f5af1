"""Attention as one opaque operator, so that no model's own attention code is traced.

Registered through transformers' AttentionInterface. Masks are read, not applied: the runtime's
attention is causal over the KV cache by construction, or sees a whole text and nothing else
(encoders).
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.masking_utils import AttentionMaskInterface
from transformers.modeling_utils import AttentionInterface

from compiler.errors import UnsupportedModelError
from compiler.trace import masks
from compiler.trace.positions import updated_layer

IMPLEMENTATION = "webkiln"
OP = "attention.default"  # the name the importer looks converters up by

# Arguments that models pass to every attention implementation and that change nothing here.
IGNORED = {
    "block_indices",  # keys chosen to be looked at: all of them, see `masks.reach`
    "cache_position",
    "deterministic",
    "dropout",
    "head_mask",
    "indices",
    "layer_idx",
    "logits_to_keep",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "position_ids",
    "return_dict",
    "use_cache",
}


@torch.library.custom_op("webkiln::attention", mutates_args=())
def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    slopes: torch.Tensor | None,
    sinks: torch.Tensor | None,
    layer: int,
    scale: float,
    window: int,
    softcap: float,
    causal: bool,
) -> torch.Tensor:
    """Attention over the KV cache of `layer`: of each token to those up to it where `causal`, else
    to all of the run.

    query (1, heads, rows, depth), key and value (1, kv_heads, rows, depth) -> (1, rows, heads,
    depth). `slopes` (heads,): scores fall by them with each position back (ALiBi, Press et al.,
    arXiv 2108.12409); `sinks` (heads,): scores of a position that is not there (gpt-oss); `window`:
    positions less than so far away are seen, 0: all; `softcap` 0: off (else
    cap * tanh(score / cap), Gemma 2).
    """
    raise NotImplementedError("exists for tracing only")


@attention.register_fake
def _(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    slopes: torch.Tensor | None,
    sinks: torch.Tensor | None,
    layer: int,
    scale: float,
    window: int,
    softcap: float,
    causal: bool,
) -> torch.Tensor:
    return query.new_empty(query.shape[0], query.shape[2], query.shape[1], value.shape[3])


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    *,
    layer: int,
    scale: float | None = None,
    window: int = 0,
    softcap: float = 0.0,
    slopes: torch.Tensor | None = None,
    sinks: torch.Tensor | None = None,
    causal: bool = True,
) -> torch.Tensor:
    """`attention` of heads of any depth, values' own included: the cache has one depth, a multiple
    of 4, and zeros change neither products nor sums."""
    depth, wanted = query.shape[-1], value.shape[-1]
    padded = -(-max(depth, wanted) // 4) * 4
    heads = [_padded(x, padded) for x in (query, key, value)]
    scale = depth**-0.5 if scale is None else scale
    out: torch.Tensor = attention(
        *heads, slopes, sinks, layer, float(scale), int(window), float(softcap), causal
    )
    return out if wanted == padded else out[..., :wanted]


def _padded(x: torch.Tensor, depth: int) -> torch.Tensor:
    missing = depth - x.shape[-1]
    return torch.cat([x, x.new_zeros(*x.shape[:-1], missing)], dim=-1) if missing else x


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    s_aux: torch.Tensor | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """The function transformers calls in place of eager or SDPA attention."""
    told = others.pop("is_causal", None)
    own = bool(getattr(module, "is_causal", True) if told is None else told)
    causal = own or bool(masks.current().windows)  # a causal mask decides
    mask = others.pop("attention_mask", mask)
    unknown = [k for k, v in others.items() if k not in IGNORED and v is not None]
    if unknown or not (mask is None or masks.current().made(mask)):
        what = ", ".join(unknown) or "an explicit attention mask"
        raise UnsupportedModelError(
            f"{type(module).__name__} passes {what} to its attention, which is not supported yet"
        )
    layer = updated_layer()
    if layer is None:  # keys of another layer are read again, or there is no cache
        layer = getattr(module, "layer_idx", None)
    number = -1 if layer is None else int(layer)
    out = attend(
        query,
        key,
        value,
        layer=number,
        scale=scaling,
        window=masks.window(module, number, sliding_window or 0),
        softcap=softcap or 0.0,
        sinks=s_aux,
        causal=causal,
    )
    return out, None


def register() -> None:
    """Makes `attn_implementation="webkiln"` known to transformers; may be called again."""
    AttentionInterface.register(IMPLEMENTATION, _attend)
    AttentionMaskInterface.register(IMPLEMENTATION, masks.make)

"""transformers' configurations: what no model can have, and what its classes raise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import PretrainedConfig

from compiler.checkpoint.base import one_line
from compiler.checkpoint.settings import setting
from compiler.errors import CompileError, UnsupportedModelError

# The least and the most of a size. The most is far beyond any model's, and little enough for
# address space to be reserved for the weights.
_SIZES = {
    "vocab_size": (1, 2**24),
    "hidden_size": (1, 2**20),
    "intermediate_size": (0, 2**24),
    "num_hidden_layers": (1, 2**12),
    "num_attention_heads": (0, 2**12),
    "head_dim": (1, 2**12),
    "num_experts": (0, 2**14),
    "num_local_experts": (0, 2**14),
    "n_routed_experts": (0, 2**14),
    "max_position_embeddings": (1, 2**31 - 1),
}
_LEAST = 1e-9  # of numbers that are divided by
_ROPE = ("rope_theta", "factor")


@contextmanager
def guarded(failure: str, advice: str = "") -> Iterator[None]:
    """UnsupportedModelError with the words `failure` and `advice` instead of anything else that
    transformers raises."""
    try:
        yield
    except CompileError:
        raise
    except Exception as error:  # transformers raises ValueError, KeyError, OSError and its own
        raise UnsupportedModelError(f"{failure}: {one_line(error)}{advice}") from error


def check_config(config: PretrainedConfig, raw: Mapping[str, Any], file: Path) -> None:
    """Raises CheckpointError for sizes that no model has. `raw` is the configuration in `file`, of
    which transformers drops the rotary settings that it has in another place too."""
    with guarded(f"{file} describes a model whose text part transformers cannot tell"):
        text = config.get_text_config()
    values = text.to_dict()
    for name, (least, most) in _SIZES.items():
        own = text.attribute_map.get(name, name)
        if not isinstance(values.get(own), list):  # one for each layer
            setting(values, own, int, file, least=least, most=most)
    _check_rope(raw, file)
    _check_rope(values.get("rope_parameters"), file)


def _check_rope(values: Any, file: Path) -> None:
    """Of all layers, or of each type of them."""
    if not isinstance(values, Mapping):
        return
    for name in _ROPE:
        setting(values, name, float, file, least=_LEAST)
    for kind, inner in values.items():
        if kind == "rope_scaling" or str(kind).endswith("_attention"):
            _check_rope(inner, file)

"""An embedder's vectors in the browser against PyTorch's on the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import transformers

from compiler.bundle.read import Bundle
from compiler.bundle.schema import Embedding
from compiler.checkpoint.base import Weights
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.directory import DirectoryCheckpoint
from web.errors import SiteError
from web.reference import fill, transformer

# Vectors that differ by rounding alone have cosines of 1 - 1e-7 in f32; half precision may lose as
# much as 8-bit weights do.
LEAST, LEAST_HALF = 0.9999, 0.999
TEXTS = (
    "",
    "kiln",
    "How do I reset my password?",
    "Где находится ближайшая библиотека? 最寄りの図書館はどこですか。",
    "The lighthouse had stood on the cliff for a hundred and forty years. " * 60,
)

# hidden (tokens, K) -> (K,), by the names that manifests have for them.
_POOLINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "cls": lambda hidden: hidden[0],
    "max": lambda hidden: hidden.max(0).values,
    "mean": lambda hidden: hidden.mean(0),
    "mean_sqrt_len": lambda hidden: hidden.sum(0) / len(hidden) ** 0.5,
    "weighted_mean": lambda hidden: _weighted(hidden, torch.arange(1.0, len(hidden) + 1)),
    "last": lambda hidden: hidden[-1],
}


def _weighted(hidden: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    return weights @ hidden / weights.sum()


class EmbeddingReference:
    """Vectors of PyTorch on a bundle's own weights, tokenized by transformers."""

    def __init__(self, checkpoint: Weights, bundle: Bundle) -> None:
        embedding = bundle.manifest.embedding
        if embedding is None or not isinstance(checkpoint, DirectoryCheckpoint):
            raise SiteError(f"{bundle.path} is no embedder compiled from a folder")
        self._embedding: Embedding = embedding
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            checkpoint.directory, local_files_only=True
        )
        self._model = transformer(transformers.AutoModel, checkpoint)
        fill(self._model, Converted(checkpoint, self._model), bundle)

    def ids(self, text: str) -> list[int]:
        """A text's tokens, cut to the limit, as sentence-transformers has them."""
        prompt = self._embedding.prompts.get(self._embedding.default_prompt, "")
        whole = (prompt + text).strip()
        whole = whole.lower() if self._embedding.lowercase else whole
        limit = self._embedding.limit
        ids: list[int] = self._tokenizer(whole, truncation=True, max_length=limit).input_ids
        return ids

    def vector(self, text: str) -> npt.NDArray[np.float32]:
        """(dimensions,)"""
        return self.vector_of(self.ids(text))

    def vector_of(self, ids: list[int]) -> npt.NDArray[np.float32]:
        """The same from tokens."""
        tokens = torch.tensor([ids])
        with torch.inference_mode():
            ones = torch.ones_like(tokens)
            hidden = self._model(input_ids=tokens, attention_mask=ones).last_hidden_state[0]
        pooled = torch.cat([_POOLINGS[mode](hidden) for mode in self._embedding.pooling])
        if self._embedding.normalised:
            pooled = torch.nn.functional.normalize(pooled, dim=0)
        vector: npt.NDArray[np.float32] = pooled.numpy()
        return vector


def cosine(a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> float:
    """Of the angle between two vectors; -1 where one is not finite."""
    lengths = float(np.linalg.norm(a.astype(np.float64)) * np.linalg.norm(b.astype(np.float64)))
    found = float(a.astype(np.float64) @ b.astype(np.float64)) / lengths if lengths else np.nan
    return found if np.isfinite(found) else -1.0


@dataclass(frozen=True)
class Similarity:
    """One text in the browser and in PyTorch."""

    text: str
    cosine: float
    least: float  # for it to pass

    @property
    def passed(self) -> bool:
        return self.cosine >= self.least

    def describe(self) -> str:
        """A line for people."""
        verdict = "agrees" if self.passed else "DIFFERS"
        shown = self.text if len(self.text) <= 40 else self.text[:39] + "…"
        return f"{verdict}: {shown!r}: cosine {self.cosine:.7f} (at least {self.least})"

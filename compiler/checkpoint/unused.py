"""What of a checkpoint's tensors cannot be right, though every one that the model needs is there.

Much may be left over: vision towers, rotary tables, heads for training, layers that predict
further tokens. Refused is only what says that the configuration is another model's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from compiler.checkpoint.base import Checkpoint
from compiler.errors import CheckpointError

# Types, as safetensors and PyTorch name them, whose numbers alone are no weights.
_CODES = re.compile(r"(F[468](_|$)|FLOAT|(I|U|Q?U?INT)\d|BOOL|C(OMPLEX)?\d).*")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


def require_numbers(checkpoint: Checkpoint, names: Iterable[str]) -> None:
    """Raises CheckpointError for a weight stored as codes that nothing here turns into numbers."""
    for name in names:
        stored = checkpoint.info(name).stored
        if _CODES.fullmatch(stored):
            raise CheckpointError(
                f"{name} of {checkpoint.label} is stored as {stored}, and no quantization_config "
                "says what the codes mean: add it, or compile the original checkpoint"
            )


def require_all_layers(label: str, used: Collection[str], unused: Iterable[str]) -> None:
    """Raises CheckpointError where `unused` holds whole layers like those of `used`, with higher
    numbers: the model was configured with fewer layers than it has."""
    counts: dict[str, int] = {}
    for stem, number, _ in map(_place, used):
        counts[stem] = max(number + 1, counts.get(stem, 0))
    known = {(stem, tail) for stem, _, tail in map(_place, used)}
    within, beyond = set(known), dict[tuple[str, int], set[str]]()
    for stem, number, tail in map(_place, unused):
        if number < counts.get(stem, 0):
            within.add((stem, tail))
        elif stem in counts:
            beyond.setdefault((stem, number), set()).add(tail)
    for (stem, number), tails in sorted(beyond.items()):
        found = {(stem, tail) for tail in tails}
        # A layer with anything of its own is of another kind: one that predicts further tokens.
        if stem and found <= within and found & known:
            raise CheckpointError(
                f"{label} holds {stem}{number}, but its configuration has {counts[stem]} such "
                "layers: they belong to different models"
            )


def _place(name: str) -> tuple[str, int, str]:
    """`model.layers.3.mlp.experts.7.w1` -> (`model.layers.`, 3, `.mlp.experts.#.w1`)."""
    found = _NUMBER.search(name)
    if found is None:
        return "", -1, name
    return name[: found.start()], int(found[0]), _NUMBER.sub("#", name[found.end() :])

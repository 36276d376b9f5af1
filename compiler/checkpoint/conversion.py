"""A checkpoint by the names of the transformers model, which renames, stacks and fuses on loading.

Files keep the names their model was published with; transformers' own mapping says what becomes of
them. Stacked experts are the largest tensors there are, so they can also be had piece by piece.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    Concatenate,
    MergeModulelist,
    WeightConverter,
    WeightRenaming,
    dot_natural_key,
    rename_source_key,
)

from compiler.checkpoint.base import (
    Array,
    Checkpoint,
    Closing,
    TensorInfo,
    TokenizerFiles,
    one_line,
)
from compiler.checkpoint.unused import require_all_layers, require_numbers
from compiler.errors import CheckpointError
from compiler.quantize import Quantized


@dataclass(frozen=True)
class _Made:
    """A tensor of the model that is computed from stored ones."""

    converter: WeightConverter
    first: str  # the name it is computed under, where several come of the same
    stored: list[tuple[str, str]]  # pattern and name of each


class Converted(Closing):
    """`checkpoint` as a Checkpoint of `model`: `names()` are those of its state dict, then whatever
    of the checkpoint belongs to nothing in it."""

    def __init__(self, checkpoint: Checkpoint, model: PreTrainedModel) -> None:
        self._checkpoint, self._model = checkpoint, model
        self.label, self.config = checkpoint.label, checkpoint.config
        self.description = checkpoint.description
        self._shapes = {n: tuple(t.shape) for n, t in model.state_dict().items()}
        self._renamed: dict[str, str] = {}
        self._made: dict[str, _Made] = {}
        self._others: list[str] = []
        mapping = get_model_conversion_mapping(model)
        self._converters = [x for x in mapping if isinstance(x, WeightConverter)]
        renamings = [x for x in mapping if isinstance(x, WeightRenaming)]
        for name in sorted(checkpoint.names(), key=dot_natural_key):
            self._place(name, renamings)
        self._check()

    def _check(self) -> None:
        """Refuses tensors that say that the configuration is another model's."""
        weights = {name for name, _ in self._model.named_parameters(remove_duplicate=False)}
        stored = [name for target, name in self._renamed.items() if target in weights]
        stored += [name for made in self._made.values() for _, name in made.stored]
        require_numbers(self._checkpoint, stored)
        used = {*self._renamed.values(), *stored}
        ignored = self._model._keys_to_ignore_on_load_unexpected or []
        unused = [n for n in self._others if not any(re.search(each, n) for each in ignored)]
        require_all_layers(self.label, used, unused)

    def _place(self, name: str, renamings: list[WeightRenaming]) -> None:
        rename = partial(
            rename_source_key,
            base_model_prefix=self._model.base_model_prefix,
            meta_state_dict=dict.fromkeys(self._shapes, True),
        )
        target, pattern = rename(name, renamings, self._converters)
        if target not in self._shapes and name in self._shapes:
            target, pattern = rename(name, [], [])
        if target not in self._shapes:
            self._others.append(name)
        elif pattern is None:
            self._renamed[target] = name
        else:
            converter = next(c for c in self._converters if pattern in c.source_patterns)
            for own in _targets(converter, target):
                made = self._made.setdefault(own, _Made(converter, target, []))
                made.stored.append((pattern, name))

    @property
    def tokenizer(self) -> TokenizerFiles:
        return self._checkpoint.tokenizer

    def names(self) -> list[str]:
        return [*self._renamed, *self._made, *self._others]

    def info(self, name: str) -> TensorInfo:
        if name not in self._made:
            return self._checkpoint.info(self._renamed.get(name, name))
        parts = [self._checkpoint.info(stored) for _, stored in self._made[name].stored]
        kinds = {part.stored for part in parts}
        if len(kinds) > 1:
            raise CheckpointError(
                f"{name} is made of tensors stored as {', '.join(sorted(kinds))}, "
                "which is not supported yet"
            )
        schemes = {part.scheme for part in parts}
        return TensorInfo(
            self._shapes[name],
            parts[0].stored,
            sum(part.bytes for part in parts),
            schemes.pop() if len(schemes) == 1 else None,
        )

    def load(self, name: str) -> Array:
        if name not in self._made:
            return self._checkpoint.load(self._renamed.get(name, name))
        made = self._made[name]
        converter = copy.deepcopy(made.converter)
        for pattern, stored in made.stored:
            converter.add_tensor(made.first, stored, pattern, partial(self._tensor, stored))
        try:
            found: Mapping[str, Any] = converter.convert(
                made.first, model=self._model, config=self._model.config
            )
            tensor = found[name]
        except Exception as error:  # whatever transformers' operations raise
            raise CheckpointError(
                f"{name} cannot be made of its parts: {one_line(error)}"
            ) from error
        tensor = tensor[0] if isinstance(tensor, list) else tensor
        values: Array = tensor.contiguous().numpy()
        return values

    def _tensor(self, stored: str) -> torch.Tensor:
        return torch.from_numpy(self._checkpoint.load(stored))

    def quantized(self, name: str) -> Quantized | None:
        if name in self._made:
            return None
        return self._checkpoint.quantized(self._renamed.get(name, name))

    def pieces(self, name: str) -> list[str]:
        """What, on top of each other, makes the rows of stacked experts (E N, K): names that `load`
        and `quantized` take. Just `name` where it is stored as one or computed in another way."""
        made = self._made.get(name)
        if made is None:
            return [name]
        by_pattern: dict[str, list[str]] = {}
        for pattern, stored in made.stored:
            by_pattern.setdefault(pattern, []).append(stored)
        columns = [by_pattern[p] for p in made.converter.source_patterns if p in by_pattern]
        if not _stacks(made.converter) or len({len(column) for column in columns}) != 1:
            return [name]
        return [stored for expert in zip(*columns, strict=True) for stored in expert]

    def close(self) -> None:
        self._checkpoint.close()


def _targets(converter: WeightConverter, first: str) -> list[str]:
    """All names that come of one conversion; renaming gives the first."""
    patterns = converter.target_patterns
    return [first.replace(patterns[0], pattern, 1) for pattern in patterns]


def _stacks(converter: WeightConverter) -> bool:
    """Whether it puts experts' matrices on top of each other, and gate upon up within each."""
    found = [(type(step), getattr(step, "dim", None)) for step in converter.operations]
    return found in ([(MergeModulelist, 0)], [(MergeModulelist, 0), (Concatenate, 1)])

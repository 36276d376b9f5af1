"""The transformers model with a bundle's own weights: what the browser is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from compiler.bundle.read import Bundle
from compiler.bundle.schema import Tensor
from compiler.checkpoint.base import Checkpoint, Weights
from compiler.checkpoint.conversion import Converted
from compiler.checkpoint.own import OwnCheckpoint
from compiler.errors import BundleError
from compiler.quantize.layout import unpack
from compiler.quantize.schemes import dequantize
from compiler.trace.model import model_of, tied_names
from compiler.trace.own import Original


def transformer(auto: Any, checkpoint: Checkpoint) -> PreTrainedModel:
    """The model that the transformers class `auto` makes, in f32 on the CPU, not yet filled."""
    model = model_of(checkpoint.config, auto, attn_implementation="eager", dtype=torch.float32)
    return model.eval()


def fill(model: torch.nn.Module, weights: Weights, bundle: Bundle) -> None:
    """Parameters come from the source, and every matrix the bundle stores replaces them with the
    values its codes stand for, so that only arithmetic can differ."""
    names = tied_names(model)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name in set(weights.names()) & parameters.keys():
            for tied in names[name]:
                parameters[tied].copy_(torch.from_numpy(weights.load(name)))
        for name, tensor in bundle.manifest.tensors.items():
            if tensor.layout == "blocked":
                _assign(parameters, weights, name, tensor, bundle)


def _assign(
    parameters: Mapping[str, torch.nn.Parameter],
    weights: Weights,
    name: str,
    tensor: Tensor,
    bundle: Bundle,
) -> None:
    """Splits a stored matrix into the parameters it was made of."""
    data = np.frombuffer(bundle.read_tensor_bytes(name), np.uint8)
    rows, columns = tensor.shape
    values = dequantize(unpack(data, tensor.parts, tensor.scheme, rows))[:, :columns]
    start = 0
    for part in name.split("+"):
        source = part.removesuffix(".T").removesuffix(".sorted")
        if source not in parameters:
            raise BundleError(f"{name} of the bundle is no weight of {bundle.manifest.source}")
        target = parameters[source]
        turned = target.swapaxes(-1, -2) if part.endswith(".T") else target
        count = turned.shape[:-1].numel()  # of experts, one on top of the other
        piece = np.ascontiguousarray(values[start : start + count])
        stored = torch.from_numpy(piece).reshape(turned.shape)
        order = weights.info(source).order if part.endswith(".sorted") else None
        if order is None:
            turned.copy_(stored)
        else:
            turned[:, torch.from_numpy(order).long()] = stored
        start += count


class Reference:
    """Greedy tokens and logits of PyTorch on a bundle's own weights."""

    def __init__(self, checkpoint: Checkpoint | OwnCheckpoint, bundle: Bundle) -> None:
        weights: Weights = checkpoint
        if isinstance(checkpoint, OwnCheckpoint):
            original = Original.of(checkpoint.module, checkpoint.label)
            self.model, self._answer = original.module, original.logits
        else:
            self.model = transformer(AutoModelForCausalLM, checkpoint)
            self._answer = lambda ids: self.model(input_ids=ids).logits
            weights = Converted(checkpoint, self.model)
        # What PyTorch goes on from; recurrent models decode with another arithmetic than they read
        # prompts with, and some refuse the cache's usual name.
        recurrent = any(plan.recurrent for plan in bundle.plans.values())
        self._cached = isinstance(self.model, PreTrainedModel) and not recurrent
        # Every variant of a bundle is asked the same.
        self._generated: dict[tuple[int, ...], list[int]] = {}
        self._logits: dict[tuple[int, ...], npt.NDArray[np.float32]] = {}
        fill(self.model, weights, bundle)

    def generate(self, ids: list[int], count: int) -> list[int]:
        """The `count` likeliest tokens after `ids`, stop tokens not heeded."""
        key = (*ids, count)
        if key not in self._generated:
            self._generated[key] = self._generate(ids, count)
        return self._generated[key]

    def _generate(self, ids: list[int], count: int) -> list[int]:
        tokens = torch.tensor([ids])
        cache = None
        out: list[int] = []
        with torch.inference_mode():
            for _ in range(count):
                if not self._cached:
                    out.append(int(self._answer(torch.tensor([ids + out]))[0, -1].argmax()))
                    continue
                result = self.model(input_ids=tokens, past_key_values=cache, use_cache=True)
                cache = result.past_key_values
                out.append(int(result.logits[0, -1].argmax()))
                tokens = torch.tensor([[out[-1]]])
        return out

    def logits(self, ids: list[int], first: int) -> npt.NDArray[np.float32]:
        """Logits after each of ids[first:], (len(ids) - first, vocabulary)."""
        key = (*ids, first)
        if key not in self._logits:
            with torch.inference_mode():
                logits = self._answer(torch.tensor([ids]))
            self._logits[key] = logits[0, first:].numpy()
        return self._logits[key]

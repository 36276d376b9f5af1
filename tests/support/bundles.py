"""Bundles that browser tests run: a tiny random model, and the one real model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from compiler.build import build
from compiler.bundle.read import Bundle
from compiler.progress import SilentProgress
from tests.support.smollm2 import smollm2_gguf
from tests.unit.checkpoint.tiny import llama

TINY, SMOLLM2 = "tiny", "smollm2"
VOCABULARY = 320
SPECIAL = ["<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
TEXT = (
    "the potter throws the clay and fires the kiln while the rain falls on the roof of the "
    "house by the sea where the children read and sing and the lamp burns low in the evening"
)
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE over every byte, with a few pieces of words."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        show_progress=False,
        min_frequency=1,
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )


def tiny_model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """A random Llama whose answers are letters and words, and practically never end."""
    model = llama(
        vocab_size=VOCABULARY,
        max_position_embeddings=2048,
        initializer_range=0.15,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    tokens = tokenizer.convert_ids_to_tokens(list(range(VOCABULARY)))
    words = torch.tensor(
        [token.lstrip("Ġ").isascii() and token.strip("Ġ").isalpha() for token in tokens]
    )
    with torch.no_grad():
        model.lm_head.weight[~words] *= 0.01
    return model


def compile_tiny(models: Path, checkpoints: Path) -> Path:
    """The bundle models/tiny, from a checkpoint written to the folder checkpoints/tiny."""
    checkpoint = checkpoints / TINY
    tokenizer = tiny_tokenizer()
    tiny_model(tokenizer).save_pretrained(checkpoint)
    tokenizer.save_pretrained(checkpoint)
    return compile_bundle(checkpoint, models / TINY).path


def compile_smollm2(models: Path) -> Path:
    """The bundle models/smollm2, with the GGUF file's own codes; some 30 s."""
    return compile_bundle(smollm2_gguf(), models / SMOLLM2).path


def compile_bundle(source: str | Path, output: Path, **settings: Any) -> Bundle:
    """The bundle `output`; settings are those of `build`, by default what a checkpoint asks for."""
    given = {"quantization": None, "context": None, "revision": None, **settings}
    build(str(source), output=output, progress=SilentProgress(), **given)
    return Bundle.open(output)

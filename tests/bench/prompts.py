"""The prompts, as text and as token ids: wllama takes text, the others ids."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tokenizers import Tokenizer

from compiler.checkpoint.open import open_checkpoint
from tests.bench.models import source

MEASURED = """The lighthouse on the northern cape was built in a single summer, when the sea was
calm and the masons could row their stone across the bay. For a hundred years its keepers wrote
down the weather every evening: the wind, the height of the waves, the ships that passed and the
birds that came to rest on the gallery. Most of what we know about the storms of that time comes
from those notebooks. They were found in the cellar when the lamp was replaced by an electric one,
packed in oilcloth and tied with fishing line, and they fill four shelves of the town's library.
The oldest of them begins with a drawing of"""

# Shares no beginning with the other, so that no engine finds it in a cache.
WARMING = """Bread needs four things: flour, water, salt and time. Mix the flour with most of the
water and let it stand for half an hour before anything else goes in, because the dough comes
together by itself while nobody is looking. Then add the salt and the rest of the water, fold it
over a few times, cover the bowl and leave it in a corner of the kitchen where there is no draught.
Every hour or so it wants to be folded again. By the evening it should have doubled, and the
surface should show a few large bubbles. Shape it gently on a board, put it in a floured basket and
let it rest in the fridge until the morning, when the oven has had time to get really hot."""


@dataclass(frozen=True)
class Prompt:
    text: str
    ids: list[int]

    def data(self) -> dict[str, object]:
        return asdict(self)


def prompts(count: int) -> tuple[Prompt, Prompt]:
    """The measured and the warming prompt, of `count` tokens each.

    ValueError when a text is too short, or cut there gives other tokens.
    """
    with open_checkpoint(str(source())) as checkpoint:
        tokenizer = Tokenizer.from_str(checkpoint.tokenizer.model_json.decode())
    return _cut(tokenizer, MEASURED, count), _cut(tokenizer, WARMING, count)


def _cut(tokenizer: Tokenizer, text: str, count: int) -> Prompt:
    ids = tokenizer.encode(text.replace("\n", " ")).ids[:count]
    cut = tokenizer.decode(ids, skip_special_tokens=False)
    if len(ids) < count or tokenizer.encode(cut).ids != ids:
        raise ValueError(f"{text[:30]!r}... gives no {count} tokens that its text gives again")
    return Prompt(cut, ids)

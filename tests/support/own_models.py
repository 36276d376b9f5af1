"""Modules as users write them: token ids (1, rows) to logits (1, rows, vocabulary). As a user's
file this is given to compile-model too: `own_models.py:nano`."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY, WIDTH, HEADS, CONTEXT = 288, 32, 4, 64


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class NanoBlock(nn.Module):
    """A block in the manner of GPT-2; `masked` hands attention a mask of its own."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)
        self.dropout, self.masked = 0.1, masked
        causal = torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).tril()
        self.register_buffer("mask", causal[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        rows, width = x.shape[1:]
        q, k, v = (_heads(y, HEADS) for y in self.qkv(self.norm1(x)).split(width, dim=2))
        if self.masked:
            y = F.scaled_dot_product_attention(q, k, v, self.mask[:, :, :rows, :rows])
        else:
            rate = self.dropout if self.training else 0.0
            y = F.scaled_dot_product_attention(q, k, v, dropout_p=rate, is_causal=True)
        x = x + self.out(y.transpose(1, 2).contiguous().view(1, rows, width))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Nano(nn.Module):
    """Learned positions, counted by the module; the head is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(NanoBlock(masked) for masked in (False, True))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids: Tensor, targets: Tensor | None = None) -> Tensor:
        rows = ids.shape[1]
        assert rows <= CONTEXT, "too long"
        x = self.tokens(ids) + self.places(torch.arange(0, rows, device=ids.device))
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


class LlamaBlock(nn.Module):
    """RMSNorm, rotary embedding, two query heads on each of keys, a gated MLP."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(WIDTH, 1e-5), nn.RMSNorm(WIDTH, 1e-5)
        self.q = nn.Linear(WIDTH, WIDTH, bias=False)
        self.k = nn.Linear(WIDTH, WIDTH // 2, bias=False)
        self.v = nn.Linear(WIDTH, WIDTH // 2, bias=False)
        self.o = nn.Linear(WIDTH, WIDTH, bias=False)
        self.gate = nn.Linear(WIDTH, 48, bias=False)
        self.up = nn.Linear(WIDTH, 48, bias=False)
        self.down = nn.Linear(48, WIDTH, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        h = self.norm1(x)
        q, k, v = _heads(self.q(h), HEADS), _heads(self.k(h), HEADS // 2), _heads(self.v(h), 2)
        q, k = (y * cos + _turned(y) * sin for y in (q, k))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).flatten(2))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


def _turned(x: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return torch.cat((-second, first), -1)


class Llama(nn.Module):
    """Takes positions; how many it can have is its attribute."""

    context = 96

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.blocks = nn.ModuleList(LlamaBlock() for _ in range(2))
        self.norm = nn.RMSNorm(WIDTH, 1e-5)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        depth = WIDTH // HEADS
        frequencies = 10000.0 ** (-torch.arange(0, depth, 2) / depth)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        angles = positions[:, None, :, None] * self.frequencies
        angles = torch.cat((angles, angles), -1)
        x = self.tokens(ids)
        for block in self.blocks:
            x = block(x, angles.cos(), angles.sin())
        logits: Tensor = self.head(self.norm(x))
        return logits


class Tables(nn.Module):
    """Learned positions and rotary tables cut to the sequence, a window of 5, values of depth 4."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Parameter(torch.randn(1, CONTEXT, WIDTH) * 0.5)
        self.q, self.k = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.v, self.o = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)
        angles = torch.outer(torch.arange(CONTEXT), 0.3 ** torch.arange(8))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids: Tensor) -> Tensor:
        rows = ids.size(1)
        x = self.tokens(ids) + self.places[:, :rows]
        cos, sin = self.cos[:rows], self.sin[:rows]
        q, k = (_heads(layer(x), HEADS) for layer in (self.q, self.k))
        q, k = (y * cos + _turned(y) * sin for y in (q, k))
        distance = torch.arange(rows)[:, None] - torch.arange(rows)
        mask = torch.zeros(rows, rows).masked_fill((distance < 0) | (distance >= 5), -torch.inf)
        y = F.scaled_dot_product_attention(q, k, _heads(self.v(x), HEADS), mask, scale=0.4)
        logits: Tensor = self.head(torch.tanh(x + self.o(y.transpose(1, 2).flatten(2))))
        return logits


class Written(nn.Module):
    """Attention written out: scores, a mask, a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
        self.register_buffer("mask", torch.ones(CONTEXT, CONTEXT).tril())

    def forward(self, ids: Tensor) -> Tensor:
        rows = ids.shape[1]
        x = self.tokens(ids) + self.places(torch.arange(rows))
        q, k, v = (_heads(y, HEADS) for y in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-2, -1) * 0.35
        scores = scores.masked_fill(self.mask[:rows, :rows] == 0, -torch.inf)
        y = scores.softmax(-1) @ v
        logits: Tensor = self.head(x + self.out(y.transpose(1, 2).reshape(1, rows, WIDTH)))
        return logits


class Convolved(nn.Module):
    """A convolution over the last four tokens, and a gate."""

    def __init__(self, padding: int = 3) -> None:
        super().__init__()
        self.tokens, self.padding = nn.Embedding(VOCABULARY, WIDTH), padding
        self.conv = nn.Conv1d(WIDTH, WIDTH, 4)
        self.gate, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids)
        before = F.pad(x.transpose(1, 2), (self.padding, 3 - self.padding))
        y = self.conv(before).transpose(1, 2)
        logits: Tensor = self.head(x + y * torch.sigmoid(self.gate(x)))
        return logits


class Bigram(nn.Module):
    """Each token alone says what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, WIDTH)
        self.head = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.table(ids))
        return logits


def _random(model: nn.Module) -> nn.Module:
    """Norms of all ones and biases of zero would hide mistakes."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def nano() -> nn.Module:
    torch.manual_seed(0)
    return _random(Nano())


def llama() -> nn.Module:
    torch.manual_seed(1)
    return _random(Llama())


def tables() -> nn.Module:
    torch.manual_seed(2)
    return _random(Tables())


def written() -> nn.Module:
    torch.manual_seed(3)
    return _random(Written())


def convolved() -> nn.Module:
    torch.manual_seed(4)
    return _random(Convolved())


def blurred() -> nn.Module:
    """Looks at the next token."""
    return Convolved(padding=2)


def bigram() -> nn.Module:
    torch.manual_seed(5)
    return Bigram()


def half() -> nn.Module:
    """Weights as half-precision training leaves them."""
    return nano().bfloat16()

"""Manifest and plan: what passes from the compiler to the browser.

This file is the one source of truth. `compiler.bundle.typescript` writes `static/src/plan.ts`
from it, and readers on both sides refuse a `format` they do not know and keys they do not expect.

Files of a bundle (all but `manifest.json` are named by content hash and never change)::

    manifest.json                     Manifest
    plans/<variant>-<hash>.json       Plan
    kernels/<variant>-<hash>.wgsl     kernel text; a Kernel names its byte span
    kernels/<variant>-<hash>.wasm     a WebAssembly module; a Kernel names its export
    weights/<hash>.bin                at most SHARD_BYTES each; a Tensor names its spans
    tokenizer/<hash>.json             tokenizer.json (in parts when large) and tokenizer_config.json
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

FORMAT = 5
SHARD_BYTES = 24 * 1024 * 1024  # fits every static host (25 MiB on the tightest)
# Names of files that a manifest may list, as a regular expression: they become paths and addresses,
# and a bundle may come from a stranger.
FILE_NAME = r"(plans|tokenizer)/[\w-]+[.]json|kernels/[\w-]+[.](wgsl|wasm)|weights/[\w-]+[.]bin"
ALIGN = 256  # WebGPU's default minStorageBufferOffsetAlignment, in bytes

# Linear memory of a wasm variant, from address 0: the module's own data (the compiler sees to it
# that it fits), then a stack and a workspace for each thread, then the plan's buffers.
WASM_RESERVED = 1 << 20  # bytes that belong to the module
WASM_STACK = 1 << 16  # bytes of stack each thread has


class Control(IntEnum):
    """Slots of the state buffer `control`, i32 each.

    The host writes them between submits; a step that samples advances POSITION, sets DONE and
    leaves what it took in TAKEN and from TOKEN on, for the host to read back.
    """

    POSITION = 0  # index into `tokens` of the first token the next step consumes
    COUNT = 1  # rows of a run that hold real tokens; the rest are padding
    CONTEXT = 2  # number of positions the KV cache holds
    DONE = 3  # 1 after a stop token or at the context's end: later steps neither advance nor keep
    SEED = 4  # the sampling seed's 32 bits
    TEXT = 5  # tokens of the text that `embed_<N>` embeds
    STOP_COUNT = 6  # how many of the following slots hold stop tokens
    STOP = 7  # first stop token; the last is before TAKEN
    TAKEN = 48  # how many tokens the last step took
    TOKEN = 49  # the first of them


CONTROL_SLOTS = 64


class Sampling(IntEnum):
    """Slots of the state buffer `sampling`, f32 each. The values below switch a filter off."""

    TEMPERATURE = 0  # 0: greedy
    TOP_P = 1  # 1
    MIN_P = 2  # 0
    REPETITION = 3  # 1
    PRESENCE = 4  # 0
    FREQUENCY = 5  # 0
    TOP_K = 6  # 0; a whole number


SAMPLING_SLOTS = 8

# State buffer `counts`, i32[vocab]: how often each token was generated, plus this bit if the
# prompt holds it (the repetition penalty looks at both, the other two at generated ones alone).
PROMPT_BIT = 1 << 30


@dataclass(frozen=True)
class Buffer:
    """One GPU buffer or span of wasm memory."""

    name: str  # weight: the tensor's name in the manifest; otherwise unique in the plan
    kind: Literal["weight", "state", "scratch", "input", "output"]
    bytes: int  # the fixed part
    bytes_per_token: int  # state only: added for every position of the chosen context


@dataclass(frozen=True)
class Kernel:
    """One entry point of the kernel file.

    WGSL: a compute shader. WebAssembly: an export `(pointer of each binding..., begin, end) -> i32`
    (0: done) that does items begin .. end - 1 of the `grid[0]` a step has, so that threads can
    share a step; `offset` and `bytes` are 0 and `workgroup` is [1, 1, 1].
    """

    name: str  # for people: profiles, error messages, `inspect`
    entry: str  # the function to call
    offset: int  # span of its text in the kernel file, in bytes
    bytes: int
    workgroup: list[int]  # [x, y, z] invocations
    workgroup_bytes: int  # workgroup memory used; WebAssembly: workspace one thread needs
    access: list[Literal["read", "read_write"]]  # one per binding, in their order


@dataclass(frozen=True)
class Binding:
    """A range of a buffer bound to a kernel."""

    buffer: int  # index into Plan.buffers
    offset: int  # bytes, a multiple of ALIGN
    bytes: int  # 0: to the buffer's end


@dataclass(frozen=True)
class Step:
    """One dispatch."""

    kernel: int  # index into Plan.kernels
    grid: list[int]  # [x, y, z] workgroups
    bindings: list[Binding]  # WGSL: in @binding order; WebAssembly: as the export takes them
    layer: int | None  # decoder layer it belongs to; null before the first and after the last
    rows_axis: int | None  # of `grid`: n of a function's N rows need n/N of it, rounded up


@dataclass(frozen=True)
class Function:
    """A straight list of dispatches.

    `decode` consumes tokens[POSITION], leaves logits in its output `logits` (f32[vocab]), samples
    tokens[POSITION + 1] and advances POSITION. `prefill_<N>` appends tokens[POSITION ..
    POSITION + COUNT - 1], COUNT <= N, to the KV cache and leaves `control` as it is.
    `verify_<N>` does what up to N steps of `decode` do: it guesses N - 1 tokens by look-up, sets
    COUNT to the rows that have one, and takes what it samples as long as the guesses hold.
    `embed_<N>`, in an embedder's plan alone, leaves in its output `embedding` (f32[dimensions])
    what tokens[0 .. TEXT - 1] come to, TEXT <= N; POSITION is 0, and COUNT is TEXT or, where
    Embedding.padded says so, N.
    """

    rows: int  # tokens consumed by one run, at most
    outputs: dict[str, int]  # name to index into Plan.buffers
    steps: list[Step]


@dataclass(frozen=True)
class Plan:
    """Everything one variant executes. State buffers the host knows by name: `control`, `tokens`
    (i32[context + 1]) and, but for an embedder, `sampling`, `counts`. All state starts as zeros."""

    format: int
    variant: str
    # Whether a run changes state that no later one can take back, beside the KV cache: then a
    # sequence goes on where the last run ended, or begins at position 0.
    recurrent: bool
    buffers: list[Buffer]
    kernels: list[Kernel]
    functions: dict[str, Function]


@dataclass(frozen=True)
class Span:
    """A range of a file of the bundle."""

    file: str
    offset: int
    bytes: int


@dataclass(frozen=True)
class Scheme:
    """How the values of a tensor are coded.

    Value = code * scale + minimum (`has_minimum`), (code + minimum) * scale (`in_scales` too), or
    (code - 2**(bits - 1)) * scale for 4-bit codes without minimum; 8-bit codes are signed. 16 and
    32 bits are plain f16 and f32: group 0.
    """

    bits: Literal[4, 8, 16, 32]
    group: int  # values along the input axis that share a scale, a multiple of 32; 0: none
    has_minimum: bool
    in_scales: bool = False  # the minimum is counted in scales: a zero point, negated


@dataclass(frozen=True)
class Tensor:
    """One weight as kernels read it: `parts` of one buffer, each starting at a multiple of ALIGN.

    Layouts (see compiler/quantize/layout.py): `linear` and `embedding` weights are `blocked`,
    everything else is `plain` (C order). Its bytes are the spans of `shards`, in order.
    """

    shape: list[int]
    scheme: Scheme
    layout: Literal["plain", "blocked"]
    bytes: int
    parts: dict[str, Span]  # "values" (plain); "codes" and, when quantized, "scales"; file is ""
    shards: list[Span]


@dataclass(frozen=True)
class FileEntry:
    """Size and hash of one file, checked before it is used."""

    bytes: int
    sha256: str  # hexadecimal


@dataclass(frozen=True)
class Requirements:
    """What a device must offer to run a variant, in WebGPU's own names.

    A wasm variant has no limits, and its features are WebAssembly's: "simd128", "relaxed-simd",
    "threads" (shared memory, which only a cross-origin isolated page gets).
    """

    features: list[str]
    limits: dict[str, int]


@dataclass(frozen=True)
class TestInput:
    """Content of one binding of a self-test: u32 words, little endian.

    Word i is `words[i]` for i < len(words), otherwise (hash(i ^ seed) & keep) | fixed. The hash is
    the PCG hash of Jarzynski and Olano (JCGT 9(3), 2020), in 32-bit arithmetic::

        state = i * 747796405 + 2891336453
        word = ((state >> ((state >> 28) + 4)) ^ state) * 277803737
        hash = (word >> 22) ^ word
    """

    bytes: int  # a multiple of 4
    seed: int
    keep: int  # u32
    fixed: int  # u32
    words: list[int]  # u32


@dataclass(frozen=True)
class SelfTest:
    """One kernel on known input with a known answer, computed by the compiler without the kernel.

    After running all items of `grid`, f32 number i * stride of binding `output` must lie within
    tolerance * max(1, |expected[i]|) of expected[i].
    """

    kernel: int  # index into Plan.kernels
    grid: list[int]
    inputs: list[TestInput]  # one per binding of the kernel, those it writes included
    output: int  # index of the binding to look at
    stride: int
    expected: list[float]
    tolerance: float


@dataclass(frozen=True)
class Memory:
    """Bytes of device memory; the state takes state_base + context * state_per_token."""

    weights: int
    scratch: int
    state_base: int
    state_per_token: int


@dataclass(frozen=True)
class Tuned:
    """A variant's kernels as they are fastest on the adapters of one vendor."""

    plan: str  # file name
    kernels: str  # file name
    selftest: list[SelfTest]


@dataclass(frozen=True)
class Variant:
    """One set of kernels for the bundle's weights."""

    backend: Literal["webgpu", "wasm"]
    plan: str  # file name
    kernels: str  # file name
    requires: Requirements
    memory: Memory
    # Null: there is no `decode`, or it computes a whole prefix, which takes more than reading.
    bytes_per_token: int | None  # weights `decode` reads: a row of embeddings, the chosen experts
    dispatches_per_token: int | None  # steps of `decode`; null where bytes_per_token is
    selftest: list[SelfTest]
    tuned: dict[str, Tuned]  # by WebGPU's `adapter.info.vendor`; what it asks for is in the above


@dataclass(frozen=True)
class Tokenizer:
    """Files that make up the tokenizer, as the Hugging Face libraries read them."""

    model: list[str]  # tokenizer.json, in parts to be joined in order
    config: str  # tokenizer_config.json


@dataclass(frozen=True)
class Embedding:
    """How an embedder turns a text into a vector.

    The prompt asked for and the text after it, without the white space around the two and in lower
    case if `lowercase`, are cut to `limit` tokens, those of `before` and `after` included.
    """

    dimensions: int
    pooling: list[
        Literal["cls", "max", "mean", "mean_sqrt_len", "weighted_mean", "last"]
    ]  # what of the tokens' vectors is put one after the other
    normalised: bool  # to length 1
    limit: int  # tokens of a text
    before: list[int]  # ids that the tokenizer puts around every text: [CLS], [SEP], ...
    after: list[int]
    lowercase: bool
    prompts: dict[str, str]  # texts to put in front, by what they are for: "query", "document"
    default_prompt: str  # a key of `prompts`; "" for none
    padded: bool  # whether all N rows of a function are to be computed, however short the text


@dataclass(frozen=True)
class License:
    """Under which terms the model may be used, as its checkpoint says; "" for what it does not."""

    id: str  # mostly SPDX's, in small letters; "other" with a name
    name: str
    link: str  # an address, or the name of a file that the checkpoint has
    terms: str  # what people must agree to, in a line


@dataclass(frozen=True)
class Card:
    """What the checkpoint says of the model. [] is unknown: nothing was said, which is no "none".

    All of it is text of others, one line each, cut where it was long.
    """

    license: License
    languages: list[str]  # mostly ISO 639 codes
    datasets: list[str]  # that it was trained on, as far as they are named
    base_models: list[str]  # that it was made from
    authors: list[str]
    tags: list[str]
    links: list[str]  # http and https alone
    stored: list[str]  # types of the checkpoint's weights, most bytes first: "BF16", "Q4_0"


@dataclass(frozen=True)
class Manifest:
    """The only file whose content may change under its name."""

    format: int
    name: str
    architecture: str
    card: Card
    source: str  # what was compiled: a file name, or a hub id with its revision
    parameters: int
    vocabulary: int
    context: int  # positions the model was made for
    default_context: int  # what the engine allocates unless told otherwise
    bits_per_weight: float
    chat_template: str  # Jinja text; "" for a model without one
    special_tokens: dict[str, str]  # bos_token, eos_token, ... as the chat template names them
    stop_tokens: list[int]  # ids that end an answer
    tokenizer: Tokenizer
    variants: dict[str, Variant]  # best first
    tensors: dict[str, Tensor]
    files: dict[str, FileEntry]
    notes: list[str] = field(default_factory=list)  # what a person should know before using it
    embedding: Embedding | None = None  # of an embedder; null for a model that generates text

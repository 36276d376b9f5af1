"""A small bundle, complete in every field, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from compiler.bundle.codec import to_json
from compiler.bundle.schema import (
    FORMAT,
    Binding,
    Buffer,
    Card,
    Function,
    Kernel,
    License,
    Manifest,
    Memory,
    Plan,
    Requirements,
    Scheme,
    SelfTest,
    Span,
    Step,
    TestInput,
    Tokenizer,
    Variant,
)
from compiler.bundle.write import BundleWriter

KERNEL_TEXT = b"@compute fn a() {}\n@compute fn b() {}\n"
CONTEXT = 16
F32 = Scheme(bits=32, group=0, has_minimum=False)

CARD = Card(
    License("apache-2.0", "", "https://example.org/license", ""),
    languages=["en", "fr"],
    datasets=[],
    base_models=["someone/tiny-base"],
    authors=["Someone"],
    tags=["chat"],
    links=["https://example.org"],
    stored=["F32"],
)


def plan() -> Plan:
    """Two layers: decode takes 2 and 1 steps of them, the prefills 1 and 3 of layer 0."""

    def step(layer: int | None, kernel: int = 0) -> Step:
        whole = [Binding(0, 0, 0), Binding(1, 256, 128)]
        return Step(kernel, [4, 1, 1], whole if kernel == 0 else [Binding(2, 0, 0)], layer, None)

    return Plan(
        recurrent=False,
        format=FORMAT,
        variant="f32",
        buffers=[
            Buffer("embed", "weight", 1024, 0),
            Buffer("x", "scratch", 512, 0),
            Buffer("keys", "state", 64, 128),
            Buffer("logits", "output", 32, 0),
        ],
        kernels=[
            Kernel("product", "a", 0, 19, [64, 1, 1], 4096, ["read", "read_write"]),
            Kernel("sample", "b", 19, 19, [16, 16, 1], 0, ["read_write"]),
        ],
        functions={
            "decode": Function(1, {"logits": 3}, [step(0), step(0), step(1), step(None, 1)]),
            "prefill_4": Function(4, {}, [step(0), step(1)]),
            "prefill_8": Function(8, {}, [step(0), step(0), step(0), step(1)]),
        },
    )


def manifest(variant: Variant, tokenizer: Tokenizer) -> Manifest:
    return Manifest(
        format=FORMAT,
        name="tiny",
        architecture="Llama",
        card=CARD,
        source="tiny.gguf",
        parameters=256,
        vocabulary=8,
        context=64,
        default_context=CONTEXT,
        bits_per_weight=32.0,
        chat_template="",
        special_tokens={"eos_token": "</s>"},
        stop_tokens=[2],
        tokenizer=tokenizer,
        variants={"f32": variant},
        tensors={},
        files={},
        notes=["made by a test"],
    )


def write_bundle(target: Path, tensor: bytes = bytes(range(256)) * 4) -> Manifest:
    with BundleWriter(target) as bundle:
        parts = {"values": Span("", 0, len(tensor))}
        bundle.add_tensor(
            "embed", shape=[256], scheme=F32, layout="plain", data=tensor, parts=parts
        )
        variant = Variant(
            backend="webgpu",
            plan=bundle.add_file("plans", "f32", ".json", to_json(plan())),
            kernels=bundle.add_file("kernels", "f32", ".wgsl", KERNEL_TEXT),
            requires=Requirements(features=[], limits={"maxStorageBuffersPerShaderStage": 8}),
            memory=Memory(weights=len(tensor), scratch=544, state_base=64, state_per_token=128),
            bytes_per_token=1000,
            dispatches_per_token=4,
            selftest=[
                SelfTest(
                    0, [4, 1, 1], [TestInput(64, 7, 0xFF, 0, [1])] * 2, 1, 4, [0.5, -1.0], 1e-5
                )
            ],
            tuned={},
        )
        return bundle.finish(manifest(variant, bundle.add_tokenizer(b'{"model":1}', b"{}")))

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from compiler.bundle.codec import manifest_from_json, plan_from_json, to_json
from compiler.bundle.schema import FORMAT
from compiler.errors import BundleError
from tests.unit.bundle.sample import plan, write_bundle


def test_plan_survives_the_round_trip() -> None:
    assert plan_from_json(to_json(plan()), "p.json") == plan()


def test_manifest_survives_the_round_trip(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path / "tiny")
    assert manifest_from_json(to_json(manifest)) == manifest


def test_json_is_compact_and_keeps_the_order_of_variants(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path / "tiny")
    only = manifest.variants["f32"]
    text = to_json(replace(manifest, variants={"z": only, "a": only})).decode()
    assert '"variants":{"z":{' in text
    assert text.index('"z":{') < text.index('"a":{')


def test_an_integer_is_accepted_where_the_schema_says_float(tmp_path: Path) -> None:
    document = json.loads(to_json(write_bundle(tmp_path / "tiny")))
    document["bits_per_weight"] = 4
    assert manifest_from_json(json.dumps(document).encode()).bits_per_weight == 4


def _set(*path: str | int, value: object) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def _drop(document: Any) -> None:
    del document["functions"]["decode"]["steps"][3]["layer"]


STEP = ("functions", "decode", "steps", 1)


@pytest.mark.parametrize(
    ("change", "where", "what"),
    [
        (_set(*STEP, "speed", value=1), "functions.decode.steps.1", "unknown key 'speed'"),
        (_drop, "functions.decode.steps.3", "missing key 'layer'"),
        (_set(*STEP, "kernel", value="0"), "functions.decode.steps.1.kernel", 'found "0"'),
        (_set(*STEP, "kernel", value=True), "functions.decode.steps.1.kernel", "found true"),
        (_set(*STEP, "layer", value=0.5), "functions.decode.steps.1.layer", "expected int"),
        (_set("buffers", 2, "kind", value="stat"), "buffers.2.kind", '"weight" or "state"'),
        (_set("buffers", value={}), "buffers", "expected a list"),
        (_set("functions", value=[]), "functions", "expected an object"),
        (_set("kernels", 0, value=3), "kernels.0", "expected an object"),
    ],
)
def test_what_the_schema_does_not_allow_is_named(
    change: Callable[[Any], None], where: str, what: str
) -> None:
    document = json.loads(to_json(plan()))
    change(document)
    with pytest.raises(BundleError) as caught:
        plan_from_json(json.dumps(document).encode(), "plans/p.json")
    message = str(caught.value)
    assert message.startswith(f"plans/p.json: at {where}: ")
    assert what in message
    assert "compile the model again" in message


@pytest.mark.parametrize(
    "name",
    [
        "../secret.json", "/etc/passwd", "link/../../x", "weights/../../x.bin", "weights/a/b.bin",
        "weights/.bin", "weights/a.bin/", "weights\\a.bin", "weights/a.bin\n", "weights/ä.bin",
        "kernels/x.js", "tokenizer/x.svg", "tokenizer/x.html", "plans/x.wasm", "index.html",
        "manifest.json", "",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere_or_could_run_are_refused(tmp_path: Path, name: str) -> None:
    document = json.loads(to_json(write_bundle(tmp_path / "tiny")))
    document["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    with pytest.raises(BundleError) as caught:
        manifest_from_json(json.dumps(document).encode(), "m.json")
    assert f"m.json: at files: {json.dumps(name)} is no name of a bundle's file" in str(
        caught.value
    )


@pytest.mark.parametrize(("found", "action"), [(FORMAT + 1, "upgrade"), (0, "compile")])
def test_another_format_is_refused_before_its_keys_are_read(found: int, action: str) -> None:
    data = json.dumps({"format": found, "of": "the future"}).encode()
    with pytest.raises(BundleError, match=rf"m\.json: format {found}.*: {action}"):
        manifest_from_json(data, "m.json")


def test_a_document_without_format_is_refused() -> None:
    with pytest.raises(BundleError, match="missing key"):
        plan_from_json(b"{}", "p.json")


@pytest.mark.parametrize("data", [b"{", b"\xff\xfe", b""])
def test_text_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"p\.json: not JSON"):
        plan_from_json(data, "p.json")


def test_a_plan_of_ten_thousand_steps_is_read_in_seconds_at_most() -> None:
    small = plan()
    steps = small.functions["decode"].steps * 2500
    large = replace(small, functions={"decode": replace(small.functions["decode"], steps=steps)})
    data = to_json(large)
    start = time.perf_counter()
    assert len(plan_from_json(data, "p.json").functions["decode"].steps) == 10_000
    assert time.perf_counter() - start < 3  # 0.1 s on a quiet core

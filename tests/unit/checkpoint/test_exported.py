"""Files of torch.export.save: programs and tensors are read, and nothing in them is run."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compiler.checkpoint.exported import load_exported
from compiler.errors import CheckpointError, CompileError, UnsupportedModelError
from tests.support import own_models

MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "bigram.pt2"
    ids = torch.zeros(1, 8, dtype=torch.long)
    dynamic = ({1: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(own_models.bigram().eval(), (ids,), dynamic_shapes=dynamic)
    torch.export.save(program, path)
    return path


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A file that appears if code of a test's own was run."""
    return tmp_path / "was-run"


class Bomb:
    """Leaves its mark where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.mark,)


def rewritten(source: Path, target: Path, changes: dict[str, bytes | Edit]) -> Path:
    """A copy of an archive with files changed or added, by their names below its root."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        root = old.namelist()[0].split("/")[0]
        contents = {name.split("/", 1)[1]: old.read(name) for name in old.namelist()}
        for name, change in changes.items():
            if isinstance(change, bytes):
                contents[name] = change
            else:
                value = json.loads(contents[name])
                change(value)
                contents[name] = json.dumps(value).encode()
        for name, data in contents.items():
            new.writestr(f"{root}/{name}", data)
    return target


def test_reads_what_torch_wrote(saved: Path, tmp_path: Path) -> None:
    """The unchanged copy too: what is refused below is refused for what was changed."""
    ids = torch.randint(288, (1, 5))
    for path in (saved, rewritten(saved, tmp_path / "copy.pt2", {})):
        program = load_exported(path)
        with torch.no_grad():
            assert torch.equal(program.module()(ids), own_models.bigram()(ids))


def first_target(text: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        value["graph_module"]["graph"]["nodes"][-1]["target"] = text

    return edit


def guards(text: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        value["guards_code"] = [text]

    return edit


def shape(text: str) -> Edit:
    """The expression of a shape, wherever there is one."""

    def edit(value: Any) -> None:
        below = value.values() if isinstance(value, dict) else value
        if isinstance(value, dict) and "expr_str" in value:
            value["expr_str"] = text
        for each in below:
            if isinstance(each, dict | list):
                edit(each)

    return edit


def returned(kind: str) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        signature = value["graph_module"]["module_call_graph"][0]["signature"]
        spec = json.loads(signature["out_spec"])
        spec[1] |= {"type": kind, "context": "null"}
        signature["out_spec"] = json.dumps(spec)

    return edit


def first_entry(**changes: Any) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        next(iter(value["config"].values())).update(changes)

    return edit


def added(**entry: Any) -> Edit:
    def edit(value: dict[str, Any]) -> None:
        value["config"]["extra"] = {"is_param": False, "use_pickle": False, **entry}

    return edit


def test_no_object_is_unpickled(saved: Path, tmp_path: Path, mark: Path) -> None:
    bomb, path = pickle.dumps(Bomb(mark)), tmp_path / "bomb.pt2"
    torch.save(Bomb(mark), tmp_path / "bomb.pt")
    saved_bomb = (tmp_path / "bomb.pt").read_bytes()
    pickled = {WEIGHTS: first_entry(use_pickle=True), "data/weights/weight_0": saved_bomb}
    entry = {"path_name": "opaque_obj_0", "tensor_meta": None}
    for changes, message in [
        ({"data/sample_inputs/model.pt": saved_bomb}, "example inputs that can run code"),
        (pickled, "as a pickled object, which can run code"),
        ({CONSTANTS: added(**entry), "data/constants/opaque_obj_0": bomb}, "opaque_obj_0"),
        ({"data/weights/model.pt": saved_bomb}, "which is no part of a program"),
        ({"data/aotinductor/model/model.so": bomb}, "which is no part of a program"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            load_exported(rewritten(saved, path, dict(changes)))
    assert not mark.exists()


def test_the_older_format_is_refused(tmp_path: Path, mark: Path) -> None:
    """It is pickled throughout, and torch.export.load falls back to it."""
    path = tmp_path / "old.pt2"
    torch.save(Bomb(mark), tmp_path / "bomb.pt")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("version", "8.20")
        archive.writestr("serialized_state_dict.pt", (tmp_path / "bomb.pt").read_bytes())
    with pytest.raises(CheckpointError, match=r"export it again|no part of a program"):
        load_exported(path)
    assert not mark.exists()


def test_no_text_is_run(saved: Path, tmp_path: Path, mark: Path) -> None:
    """Shapes go through eval, operators are looked up by name, guards through exec."""
    path = tmp_path / "text.pt2"
    run = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    changes: list[tuple[Edit, str]] = [
        (shape(run), "has a shape of"),
        (shape("exit()"), "has a shape of"),
        (shape("(exit)()"), "has a shape of"),
        (shape("s0.__class__"), "has a shape of"),
        (first_target("torch.serialization.os.system"), "uses torch.serialization.os.system"),
        (first_target("torch.ops.aten.from_file.default"), "uses torch.ops.aten.from_file"),
        (first_target("torch.ops.aten.a.b.c"), "uses torch.ops.aten.a.b.c"),
        (first_target("_operator.call"), "uses _operator.call"),
        (returned("collections.defaultdict"), "more than tensors"),
    ]
    for edit, message in changes:
        with pytest.raises((CheckpointError, UnsupportedModelError), match=message):
            load_exported(rewritten(saved, path, {MODEL: edit}))
    program = load_exported(rewritten(saved, path, {MODEL: guards(run)}))
    program.module()
    assert not mark.exists()


def test_no_tensor_is_larger_than_its_data(saved: Path, tmp_path: Path) -> None:
    def grow(value: dict[str, Any]) -> None:
        first = next(iter(value["config"].values()))
        first["tensor_meta"]["sizes"] = [{"as_int": 1 << 40}]
        first["tensor_meta"]["strides"] = [{"as_int": 0}]

    with pytest.raises(CheckpointError, match="in less data"):
        load_exported(rewritten(saved, tmp_path / "large.pt2", {WEIGHTS: grow}))


def test_damaged_files(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "damaged.pt2"
    data = saved.read_bytes()
    for damaged in (b"", b"no archive", data[: len(data) // 2], data[:-30]):
        path.write_bytes(damaged)
        with pytest.raises(CompileError, match="damaged"):
            load_exported(path)
    with pytest.raises(CompileError, match="damaged"):
        load_exported(rewritten(saved, path, {MODEL: b"{"}))

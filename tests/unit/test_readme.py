"""What the README tells a stranger to type exists: commands, options, the engine's interface."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from compiler.cli import PROGRAMS, compile_app
from web.cli import app as site_app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TSC = ROOT / "static" / "node_modules" / ".bin" / "tsc"
ENGINE = ROOT / "static" / "src" / "engine" / "index.ts"


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands(program: str) -> list[list[str]]:
    """Arguments of each line that runs `program`."""
    lines = [shlex.split(line, comments=True) for b in blocks("sh") for line in b.splitlines()]
    return [words[1:] for words in lines if words[:1] == [program]]


def test_two_commands_come_first() -> None:
    assert commands("make") == [["run"], ["test"]]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)", README))))
def test_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("arguments", commands("compile-model"), ids=shlex.join)
def test_compile_model_takes_these_arguments(arguments: list[str]) -> None:
    first, *rest = arguments
    if first in PROGRAMS:
        program, app = PROGRAMS[first]
        get_command(app).make_context(program, rest)
    else:
        get_command(compile_app).make_context("compile-model", list(arguments))


@pytest.mark.parametrize("arguments", commands("llm-site"), ids=shlex.join)
def test_llm_site_takes_these_arguments(arguments: list[str]) -> None:
    group = get_command(site_app)
    with group.make_context("llm-site", list(arguments)) as context:
        _, command, rest = group.resolve_command(context, arguments)
        command.make_context(command.name, rest, parent=context)


@pytest.mark.skipif(not TSC.exists(), reason="needs static/node_modules: make build")
def test_the_engine_example_has_the_right_types(tmp_path: Path) -> None:
    examples = blocks("js")
    assert len(examples) == 1
    # The address "/engine.js" means the module's source here.
    source = examples[0].replace('"/engine.js"', json.dumps(str(ENGINE)))
    (tmp_path / "example.ts").write_text(source)
    config = {
        "extends": str(ROOT / "static" / "tsconfig.json"),
        "compilerOptions": {
            "allowImportingTsExtensions": True,
            "typeRoots": [str(ROOT / "static" / "node_modules" / "@webgpu")],
            "types": ["types"],
        },
        "include": ["example.ts"],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    ran = subprocess.run([TSC, "-p", tmp_path], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout

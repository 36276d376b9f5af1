from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from compiler.errors import BundleError
from tests.unit.bundle.sample import write_bundle
from tests.unit.web.conftest import ASSETS, assets, build
from web import cli, export
from web.built import Built
from web.errors import SiteError
from web.export import Writer, export_site
from web.models import Models
from web.options import SiteOptions
from web.site import Site


@pytest.fixture
def site(models: Path, page: Path) -> Site:
    return Site(Models(models), Built(page), SiteOptions())


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _plain(folder: Path) -> set[str]:
    return {name for name in _files(folder) if not name.endswith((".gz", ".br"))}


def _listed(folder: Path) -> dict[str, dict[str, int | str]]:
    found = json.loads((folder / "files.json").read_bytes())
    return {**found["files"], **found["kept"]}


def test_the_folder_holds_what_the_server_serves(
    client: TestClient, site: Site, out: Path, models: Path
) -> None:
    export_site(site, out)
    manifest = json.loads((models / "tiny" / "manifest.json").read_bytes())
    bundle = {f"models/tiny/{name}" for name in (*manifest["files"], "manifest.json")}
    app = set(json.loads((out / "app.json").read_bytes())["files"])
    hosts = {"_headers", ".nojekyll", "404.html", "hosting/nginx.conf", "hosting/README.txt"}
    listings = {"app.json", "files.json", "models.json", "headers.json"}
    assert _plain(out) == bundle | app | hosts | listings
    for path in bundle | app | {"app.json"}:
        response = client.get(f"/{path}")
        assert (path, response.content) == (path, (out / path).read_bytes())
    assert client.get("/").content == (out / "index.html").read_bytes()


def test_every_file_is_listed_with_size_and_hash(site: Site, out: Path) -> None:
    done = export_site(site, out)
    listed = _listed(out)
    assert set(listed) == _files(out) - {"files.json"}
    for path, entry in listed.items():
        data = (out / path).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert (done.files, done.kept) == (len(listed), 0)
    assert done.bytes == sum((out / path).stat().st_size for path in listed)


def test_twins_hold_the_same_and_weights_have_none(site: Site, out: Path) -> None:
    export_site(site, out)
    packed = [name for name in _files(out) if name.endswith((".gz", ".br"))]
    assert {"index.html.gz", "index.html.br", f"{ASSETS}page.js.gz"} <= set(packed)
    for name in packed:
        data = (out / name).read_bytes()
        plain = gzip.decompress(data) if name.endswith(".gz") else brotli.decompress(data)
        assert plain == (out / name[:-3]).read_bytes()
        assert len(data) < len(plain)
        assert "/weights/" not in name


def test_the_same_site_is_the_same_folder(site: Site, tmp_path: Path) -> None:
    for name in ("one", "two"):
        export_site(site, tmp_path / name)
    one, two = ((tmp_path / name / "files.json").read_bytes() for name in ("one", "two"))
    assert one == two


def _update(page: Path, models: Path) -> None:
    """Another build of the page, another of the model."""
    build(page, "v2", {"assets/v2/page.js": "changed", "engine.js": "changed too"})
    write_bundle(models / "tiny", tensor=bytes(2048))


def test_an_export_over_an_earlier_one_keeps_what_open_pages_need(
    site: Site, out: Path, page: Path, models: Path
) -> None:
    export_site(site, out)
    first = json.loads((out / "files.json").read_bytes())["files"]
    weights = {name for name in first if "/weights/" in name}
    _update(page, models)
    done = export_site(site, out)
    assert (out / assets("v1") / "worker.js").is_file()
    assert (out / assets("v2") / "page.js").is_file()
    assert weights
    assert not any((out / name).exists() for name in weights)
    assert done.kept == sum(name.startswith(ASSETS) for name in first)
    assert set(_listed(out)) == _files(out) - {"files.json"}
    export_site(site, out)  # kept for one export, not for ever
    assert not (out / assets("v1")).exists()
    assert set(_listed(out)) == _files(out) - {"files.json"}


def test_what_others_put_there_stays_and_equal_files_are_not_touched(
    site: Site, out: Path, page: Path, models: Path
) -> None:
    export_site(site, out)
    (out / "CNAME").write_text("chat.example.org")
    (out / "models" / "mine.txt").write_text("mine")
    before = {path: (out / path).stat().st_mtime_ns for path in _files(out)}
    export_site(site, out)
    after = {path: (out / path).stat().st_mtime_ns for path in _files(out)}
    assert {path for path in before if before[path] != after[path]} == {"files.json"}
    _update(page, models)
    export_site(site, out)
    assert (out / "CNAME").read_text() == "chat.example.org"
    assert (out / "models" / "mine.txt").read_text() == "mine"


def test_a_file_damaged_in_the_folder_is_made_good(site: Site, out: Path) -> None:
    export_site(site, out)
    good = (out / "index.html").read_bytes()
    (out / "index.html").write_bytes(bytes(len(good)))
    export_site(site, out)
    assert (out / "index.html").read_bytes() == good


@pytest.mark.parametrize("name", ["precious.txt", "files.json"])
def test_a_folder_of_something_else_is_refused(site: Site, out: Path, name: str) -> None:
    out.mkdir()
    (out / name).write_text("{}")
    with pytest.raises(SiteError, match="no earlier export"):
        export_site(site, out)
    assert _files(out) == {name}


def test_a_list_that_leads_elsewhere_is_refused(site: Site, out: Path, tmp_path: Path) -> None:
    export_site(site, out)
    (tmp_path / "precious.txt").write_text("precious")
    for path in ("../precious.txt", str(tmp_path / "precious.txt")):
        found = json.loads((out / "files.json").read_bytes())
        found["kept"][path] = {"bytes": 1, "sha256": ""}
        (out / "files.json").write_text(json.dumps(found))
        with pytest.raises(SiteError, match="no earlier export"):
            export_site(site, out)
    assert (tmp_path / "precious.txt").exists()


def test_a_failure_leaves_the_site_as_it_was(site: Site, out: Path, models: Path) -> None:
    export_site(site, out)
    before = {path: (out / path).read_bytes() for path in _files(out)}
    [shard] = (models / "tiny" / "weights").iterdir()
    shard.write_bytes(b"x" + shard.read_bytes()[1:])
    with pytest.raises(SiteError, match=rf"{shard.name} is damaged"):
        export_site(site, out)
    assert {path: (out / path).read_bytes() for path in _files(out)} == before
    shard.unlink()
    with pytest.raises(SiteError, match=rf"{shard.name} is missing"):
        export_site(site, out.parent / "new")
    assert not (out.parent / "new").exists()


def _list(models: Path, name: str, data: bytes) -> None:
    """Makes the manifest name one more file."""
    file = models / "tiny" / "manifest.json"
    manifest = json.loads(file.read_bytes())
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest["files"][name] = entry
    file.write_text(json.dumps(manifest))


@pytest.mark.parametrize("name", ["../../payload", "link/../../../../payload", "kernels/x.js"])
def test_a_strangers_bundle_writes_only_a_bundles_files(
    site: Site, out: Path, models: Path, tmp_path: Path, name: str
) -> None:
    write_bundle(models / "good")
    deep = models / "tiny" / "a/b/c/d/e/f"
    deep.mkdir(parents=True)
    (models / "tiny" / "link").symlink_to(deep)
    for place in (models / "tiny" / name, models / "tiny" / "a/b/payload"):
        place.write_bytes(b"evil")
    _list(models, name, b"evil")
    before = _files(tmp_path)
    export_site(site, out)
    assert {path for path in _files(tmp_path) - before if not path.startswith("out/")} == set()
    assert {path.name for path in (out / "models").iterdir()} == {"good"}


def test_a_link_out_of_a_bundle_is_not_copied(site: Site, out: Path, models: Path) -> None:
    (models.parent / "secret").write_bytes(b"secret")
    (models / "tiny" / "weights" / "x.bin").symlink_to(models.parent / "secret")
    _list(models, "weights/x.bin", b"secret")
    with pytest.raises(BundleError, match=r"x\.bin is a link out of the bundle"):
        export_site(site, out)
    assert not out.exists()


def test_nothing_is_written_beside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "up").symlink_to(tmp_path)
    writer = Writer(tmp_path / "out")
    for path in ("../x", "up/x", "a/../../x", str(tmp_path / "x")):
        with pytest.raises(SiteError, match="leads out of the folder"):
            writer.write(path, b"x")
    assert not (tmp_path / "x").exists()


def _break_off(site: Site, out: Path, when: Callable[[Path], bool]) -> None:
    """Exports, and is killed just before the first such file takes its place."""
    replace = Path.replace

    def stop(self: Path, target: Path) -> Path:
        if when(target):
            raise KeyboardInterrupt
        return replace(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            export_site(site, out)


@pytest.mark.parametrize("first", ["app.json", "index.html"])
def test_whenever_it_stops_some_whole_site_is_there(
    site: Site, out: Path, page: Path, models: Path, first: str
) -> None:
    """What index.html leads to is there whether the power goes before or after it changes."""
    export_site(site, out)
    _update(page, models)
    _break_off(site, out, lambda target: target == out / first)
    assert f"{assets('v1')}page.js" in (out / "index.html").read_text()
    assert (out / assets("v1") / "page.js").is_file()
    assert (out / assets("v2") / "page.js").is_file()
    for _ in range(2):  # it may be broken off once more
        _break_off(site, out, lambda target: target == out / first)
    export_site(site, out)
    assert f"{assets('v2')}page.js" in (out / "index.html").read_text()
    assert (out / assets("v1") / "page.js").is_file()  # for the pages that are open
    assert set(_listed(out)) == _files(out) - {"files.json"}
    export_site(site, out)  # and for no longer
    assert not (out / assets("v1")).exists()
    assert set(_listed(out)) == _files(out) - {"files.json"}


def test_another_site_after_one_that_was_broken_off(
    site: Site, out: Path, page: Path, models: Path
) -> None:
    """What it never wrote is not said to be there."""
    export_site(site, out)
    _update(page, models)
    _break_off(site, out, lambda target: assets("v2") in target.as_posix())
    build(page, "v3", {"assets/v3/page.js": "changed again", "engine.js": "changed again"})
    export_site(site, out)
    assert (out / assets("v1") / "page.js").is_file()
    assert set(_listed(out)) == _files(out) - {"files.json"}


@pytest.mark.parametrize("stopped", [1, 2])
def test_the_list_is_whole_whenever_it_stops(
    site: Site, out: Path, page: Path, monkeypatch: pytest.MonkeyPatch, stopped: int
) -> None:
    """It is written twice, and half of it never stands in its place."""
    export_site(site, out)
    build(page, "v2", {"assets/v2/page.js": "changed", "engine.js": "changed too"})
    write, calls = Path.write_bytes, iter(range(1, 9))

    def half(self: Path, data: bytes) -> int:
        if self.name == "files.json" and next(calls) == stopped:
            write(self, data[: len(data) // 2])
            raise KeyboardInterrupt
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        export_site(site, out)
    monkeypatch.undo()
    export_site(site, out)
    assert set(_listed(out)) == _files(out) - {"files.json"}


@pytest.mark.parametrize("instead", ["nothing", "a file"])
def test_what_somebody_removed_by_hand_is_no_obstacle(
    site: Site, out: Path, models: Path, instead: str
) -> None:
    write_bundle(models / "other", tensor=bytes(2048))
    export_site(site, out)
    shutil.rmtree(out / "models" / "other")
    if instead == "a file":
        (out / "models" / "other").write_text("somebody's")
    shutil.rmtree(models / "other")
    for _ in range(2):
        export_site(site, out)
        listed = set(_listed(out))
        assert not [path for path in listed if path.startswith("models/other/")]
        assert listed == _files(out) - {"files.json", "models/other"}


def test_a_fault_that_names_no_file_names_none(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, data: bytes) -> int:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(SiteError, match=f"^cannot export to {out}: the disk is gone$"):
        export_site(site, out)


def test_a_killed_export_is_named(site: Site, out: Path) -> None:
    (out / ".webkiln-export").mkdir(parents=True)
    with pytest.raises(SiteError, match=r"\.webkiln-export exists: another export is under way"):
        export_site(site, out)


def test_a_file_that_hosts_do_not_take_is_refused(
    site: Site, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST", 1000)  # the shard has 1,024 bytes
    with pytest.raises(SiteError, match=r"[\w/.-]+ has 0\.0 MiB; hosts take no file over"):
        export_site(site, out)
    assert not out.exists()


def test_a_build_that_changed_meanwhile_is_refused(site: Site, out: Path, page: Path) -> None:
    (page / "assets/v1/page.js").write_text("half a build")
    with pytest.raises(SiteError, match=r"page\.js is not what was built"):
        export_site(site, out)


def test_models_elsewhere_are_not_copied(models: Path, page: Path, out: Path) -> None:
    options = SiteOptions(
        models_url="https://weights.example.org/models/", mirrors=("https://b.example.net/",)
    )
    export_site(Site(Models(models), Built(page), options), out)
    assert not (out / "models").exists()
    [listed] = json.loads((out / "models.json").read_bytes())
    assert listed["urls"] == [
        "https://weights.example.org/models/tiny/",
        "https://b.example.net/tiny/",
    ]
    for name in ("index.html", "_headers", "hosting/nginx.conf", "headers.json"):
        policy = (out / name).read_text().replace("&#39;", "'")
        assert "connect-src 'self' https://weights.example.org https://b.example.net;" in policy


def test_names_of_files_for_hosts_begin_at_the_base_path(
    models: Path, page: Path, out: Path
) -> None:
    export_site(Site(Models(models), Built(page), SiteOptions(base_path="/a.b/chat/")), out)
    assert 'href="/a.b/chat/"' in (out / "404.html").read_text()
    rules = (out / "_headers").read_text().splitlines()
    addresses = [line for line in rules if not line.startswith(" ")]
    assert addresses[:2] == ["/a.b/chat/*", "/a.b/chat/assets/*"]
    assert all(address.startswith("/a.b/chat/") for address in addresses)
    assert max(map(len, rules)) <= 2000  # Cloudflare's limit
    assert '"^/a[.]b/chat/(assets/' in (out / "hosting/nginx.conf").read_text()
    html = (out / "index.html").read_text()
    assert "/a.b/" not in html  # the page itself works anywhere


def _export(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["export", *arguments])


def test_the_command(models: Path, page: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "find_page", lambda: page)
    result = _export(str(out), "--models", str(models), "--allow-server", "http://localhost:11434/")
    assert result.exit_code == 0
    assert f"{out}: {len(_listed(out))} files" in result.stderr
    assert "connect-src 'self' http://localhost:11434;" in (out / "_headers").read_text()
    kept = _export(str(out), "--models", str(models), "--no-offline")
    assert kept.exit_code == 0
    assert (out / "sw.js").read_bytes() == (page / "sw-remove.js").read_bytes()
    refused = _export(str(models), "--models", str(models))
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"llm-site: {models} exists and is no earlier export")
    unwritable = _export(str(page / "app.json" / "x"), "--models", str(models))
    assert unwritable.exit_code == 1
    assert unwritable.stderr.count("\n") == 1

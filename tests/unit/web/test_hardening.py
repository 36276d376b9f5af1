"""`llm-site serve` against what strangers send: a real process, real sockets."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from compiler.bundle.schema import Manifest
from tests.unit.bundle.sample import write_bundle
from tests.unit.web.conftest import ASSETS, build
from tests.unit.web.test_cli import running

# Memory and open files are read from /proc. Some seconds each.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc"),
]

SECRET = b"this must never be served"
SHARD = 8 << 20
REAL_SHARD = 24 << 20  # bytes of all but the last shard of a real model
# Bytes that 200 downloads may add to the server's memory: a third of a MiB each, whatever is sent.
FLAT = 64 << 20
# Who does not end a request is not waited for: tests leave many of them.
IMPATIENT = "from web.patience import PatientProtocol as P; P.head_seconds = P.stall_seconds = 1; "
STATUSES = {100, 200, 206, 304, 307, 400, 404, 405, 416, 431}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of one model, with secrets all around it."""
    root = tmp_path_factory.mktemp("served")
    write_site(root, SHARD)
    for place in (".", "models", "models/tiny", "models/tiny/weights", "dist", "dist/assets/v1"):
        for name in ("secret", "secret.json", ".secret", "secret.bin.txt"):
            (root / place / name).write_bytes(SECRET)
    return root


def write_site(root: Path, size: int) -> None:
    """A site of one model that has a shard of this size, named in the file `shard`."""
    tensor = random.Random(1).randbytes(size)
    (root / "shard").write_text(shard_of(write_bundle(root / "models" / "tiny", tensor=tensor)))
    (root / "dist" / "assets" / "v1").mkdir(parents=True)
    build(root / "dist", "v1", {"assets/v1/page.js": "page", "engine.js": "engine"})


def shard_of(manifest: Manifest) -> str:
    return f"/models/tiny/{manifest.tensors['embed'].shards[0].file}"


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[tuple[str, int, int]]:
    """Host, port and process of a running server."""
    with running(folder / "models", folder / "dist", prelude=IMPATIENT) as (address, pid):
        parts = urlsplit(address)
        assert parts.hostname
        assert parts.port
        yield parts.hostname, parts.port, pid


def _exchange(host: str, port: int, request: bytes) -> bytes:
    """What comes back until the other end closes: requests ask for that."""
    parts = []
    with socket.create_connection((host, port), timeout=30) as connection:
        try:
            connection.sendall(request)
            while part := connection.recv(1 << 16):
                parts.append(part)
        except ConnectionError:  # refused in the middle of a request that was too long
            pass
        return b"".join(parts)


PIECES = [
    "..", "%2e%2e", "%252e%252e", "..%2f", "..%5c", "\\", "/", "//", "%2f", "%00", "\x00", ".", "~",
    "secret", "secret.json", ".secret", "etc", "passwd", "proc", "self", "environ", "models",
    "tiny", "weights", "plans", "tokenizer", "manifest.json", "assets", "v1", "page.js",
    "engine.js", "app.json", "index.html", "healthz", "%ff%fe", "%c0%ae%c0%ae", "ünï", "a" * 300,
    "%", "%zz", "?", "#", ";", "|", "C:", "file:", "con", " ", "\t",
]  # fmt: skip
METHODS = [
    "GET",
    "GET",
    "GET",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "get",
    "",
]
RANGES = [
    "bytes=0-", "bytes=-1", "bytes=5-2", "bytes=-", "bytes=", "bytes", "=", "lines=1-2",
    "bytes=a-b", "bytes=99999999999999999999-", "bytes=0-99999999999999999999",
    "bytes=-99999999999999999999", "bytes=--1", "bytes=0-0,", ",", "bytes=1-1;q=1",
    "bytes=٠-٩", "bytes= 0 - 5",
    "bytes=" + ",".join(f"{i}-{i + 1}" for i in range(0, 4000, 3)), "bytes=" + "0-," * 5000,
]  # fmt: skip
HEADERS = [
    "If-None-Match", "If-Modified-Since", "If-Range", "Accept-Encoding", "Connection", "Upgrade",
    "Transfer-Encoding", "Content-Length", "Expect", "Host", "Cookie", "X-Forwarded-For",
    "X-HTTP-Method-Override", "Origin", "Access-Control-Request-Method",
]  # fmt: skip
VALUES = [
    "*", "", "gzip", "br;q=1.0, *;q=0", "chunked", "-1", "99999999999999999999", "websocket",
    "100-continue", "\xff\xfe", "W/\"x\"", "Thu, 99 Foo 0000", "close", "a" * 5000, "\x01",
]  # fmt: skip


def _request(chance: random.Random, shard: str) -> tuple[bytes, bool]:
    """A request as nobody means it, most of them nearly valid; whether it has an end."""
    if chance.random() < 0.05:
        return chance.randbytes(chance.randrange(2000)) + b"\r\n\r\n", True
    known = ["/", "/models.json", "/healthz", "/models/tiny/manifest.json", "/engine.js"]
    known += [shard] * 5
    path = "/" + "/".join(chance.choices(PIECES, k=chance.randrange(1, 8)))
    if chance.random() < 0.4:
        path = chance.choice(known) + (chance.choice(PIECES) if chance.random() < 0.3 else "")
    lines = [f"{chance.choice(METHODS)} {path} HTTP/{chance.choice(['1.1', '1.1', '1.0', '9.9'])}"]
    lines += ["Host: localhost", "Connection: close"]
    if chance.random() < 0.4:
        lines.append(f"Range: {chance.choice(RANGES)}")
    for _ in range(chance.randrange(4)):
        lines.append(f"{chance.choice(HEADERS)}: {chance.choice(VALUES)}")
    text = "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    if chance.random() < 0.1:
        return text[: chance.randrange(len(text) - 4)], False
    return text, True


def _fuzz(server: tuple[str, int, int], folder: Path, seeds: range) -> None:
    host, port, _ = server
    shard = (folder / "shard").read_text()

    def one(seed: int) -> int:
        request, whole = _request(random.Random(seed), shard)
        answer = _exchange(host, port, request)
        statuses = [int(s) for s in re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer)]
        assert set(statuses) <= STATUSES, (seed, request[:300], answer[:300])
        assert statuses or not whole, (seed, request[:300])
        assert SECRET not in answer, (seed, request)
        return statuses[0] if statuses else 0

    with ThreadPoolExecutor(8) as pool:
        counts = Counter(pool.map(one, seeds))
    print(f"{len(seeds)} requests by status (0: dropped): {dict(sorted(counts.items()))}")
    assert counts[200] > len(seeds) / 50  # some get through, or nothing is tested
    assert counts[206] > len(seeds) / 1000


def test_requests_as_nobody_means_them(server: tuple[str, int, int], folder: Path) -> None:
    _fuzz(server, folder, range(1_000))


@pytest.mark.soak
def test_ten_thousand_requests_as_nobody_means_them(
    server: tuple[str, int, int], folder: Path
) -> None:
    _fuzz(server, folder, range(1_000, 11_000))


@pytest.mark.parametrize(
    "path",
    [
        "/../secret", "/models/../secret.json", "/models/tiny/../../secret", "//secret",
        "/models/%2e%2e/secret", "/models/tiny/weights/..%2f..%2f..%2fsecret",
        "/models/secret.json", "/models/tiny/secret.json", "/models/tiny/weights/secret.bin.txt",
        f"/{ASSETS}secret", f"/{ASSETS}../../secret.json", "/models/tiny/weights/.secret",
        "/secret",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_secret(server: tuple[str, int, int], path: str) -> None:
    host, port, _ = server
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    answer = _exchange(host, port, request)
    assert answer.startswith(b"HTTP/1.1 404")
    assert SECRET not in answer


def test_many_ranges_are_no_more_work_than_the_file(
    server: tuple[str, int, int], folder: Path
) -> None:
    """A thousand times the whole file, in one request."""
    host, port, _ = server
    shard = (folder / "shard").read_text()
    for ranges in (",".join(["0-"] * 1000), ",".join(["0-"] * 50), ",".join(["-1"] * 99)):
        head = f"GET {shard} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nRange: bytes={ranges}"
        assert len(_exchange(host, port, f"{head}\r\n\r\n".encode())) < SHARD + 10_000


def test_huge_heads_are_refused(server: tuple[str, int, int]) -> None:
    host, port, _ = server
    for head in (b"GET /" + b"a" * 10_000_000, b"GET / HTTP/1.1\r\nX: " + b"a" * 10_000_000):
        answer = _exchange(host, port, head)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    many = b"".join(b"X-%d: 1\r\n" % index for index in range(100_000))
    answer = _exchange(host, port, b"GET / HTTP/1.1\r\n" + many + b"\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_who_never_ends_a_request_is_dropped(folder: Path, start: bytes) -> None:
    """One byte now and then does not count as an end."""
    with running(folder / "models", folder / "dist", prelude=IMPATIENT) as (address, _):
        parts = urlsplit(address)
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=1) as slow:
            slow.sendall(start)
            while True:
                try:
                    if slow.recv(1) == b"":
                        break
                except TimeoutError:
                    if start:
                        slow.sendall(b"a")
                except ConnectionError:
                    break
        # Others are served meanwhile and afterwards.
        request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        assert b'"ok"' in _exchange(parts.hostname or "", parts.port or 0, request)


def test_who_never_reads_is_dropped(folder: Path) -> None:
    with running(folder / "models", folder / "dist", prelude=IMPATIENT) as (address, pid):
        parts = urlsplit(address)
        shard = (folder / "shard").read_text()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect((parts.hostname, parts.port))
            deaf.sendall(f"GET {shard} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            while not _open_shards(pid):  # it begins
                time.sleep(0.01)
            while _open_shards(pid):  # and is ended, by nothing but the time it takes
                time.sleep(0.05)
            received = 0
            try:
                while part := deaf.recv(1 << 16):
                    received += len(part)
            except ConnectionError:
                pass
            assert received < SHARD


def test_who_reads_too_slowly_is_dropped(folder: Path) -> None:
    """Taking a little, again and again, does not keep a connection for ever."""
    piece = 1 << 16
    # At 10 MB a second something is taken every few milliseconds; a hundred times that is wanted.
    greedy = IMPATIENT + "P.stall_seconds = 0.5; P.least_rate = 1e9; "
    with running(folder / "models", folder / "dist", prelude=greedy) as (address, _):
        parts = urlsplit(address)
        shard = (folder / "shard").read_text()
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            slow.connect((parts.hostname, parts.port))
            slow.sendall(f"GET {shard} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            received = 0
            with suppress(ConnectionError):
                while part := slow.recv(piece):
                    received += len(part)
                    time.sleep(piece / 1e7)  # what makes it slow
        assert received < SHARD


def test_who_comes_too_many_waits_and_is_no_fault_of_ours(folder: Path) -> None:
    """Six times as many connections as there are files for, all of which the deaf have."""
    few = IMPATIENT + "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (64, 64)); "
    with running(folder / "models", folder / "dist", prelude=few) as (address, pid):
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 0
        shard = (folder / "shard").read_text()
        deaf = []
        for _ in range(60):
            each = socket.socket()
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            each.connect((host, port))
            each.sendall(f"GET {shard} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            deaf.append(each)
        for path in ("/healthz", "/", shard):
            answer = _exchange(host, port, f"GET {path} HTTP/1.0\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 200"), (path, answer[:200])
        for each in deaf:  # whoever had an answer had the right one
            with each, suppress(ConnectionError):
                assert each.recv(12) == b"HTTP/1.1 200"
        assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 64


def _open_shards(pid: int) -> int:
    """Files of weights that the process has open."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += "/weights/" in str(link.readlink())
        except OSError:  # closed in this moment
            continue
    return found


def _peak(pid: int) -> int:
    """The most memory that the process ever held, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


async def _download(host: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    received = 0
    while part := await reader.read(1 << 16):
        received += len(part)
    writer.close()
    return received


async def _all(host: str, port: int, path: str, count: int) -> list[int]:
    return await asyncio.gather(*(_download(host, port, path) for _ in range(count)))


def _download_many(folder: Path, count: int, size: int) -> tuple[int, int]:
    """Peak memory before and after so many downloads at once."""
    with running(folder / "models", folder / "dist") as (address, pid):
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port or 0
        shard = (folder / "shard").read_text()
        asyncio.run(_all(host, port, shard, 1))
        before = _peak(pid)
        received = asyncio.run(_all(host, port, shard, count))
        assert all(size < each < size + 4096 for each in received)  # and a head
        return before, _peak(pid)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(SHARD, id="8 MiB"),
        pytest.param(REAL_SHARD, id="24 MiB", marks=pytest.mark.soak),
    ],
)
def test_two_hundred_downloads_at_once_take_no_memory(tmp_path: Path, size: int) -> None:
    """Of 1.7 or 5 GB that are sent, the same few are in memory: what is under way, no file."""
    write_site(tmp_path, size)
    before, after = _download_many(tmp_path, 200, size)
    print(f"peak: {before / 2**20:.0f} MiB before, {after / 2**20:.0f} MiB after 200 downloads")
    assert after - before < FLAT

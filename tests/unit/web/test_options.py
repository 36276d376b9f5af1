from __future__ import annotations

import re

import pytest

from web.errors import SiteError
from web.options import SiteOptions, site_options


def test_by_default_everything_is_the_sites_own() -> None:
    options = site_options()
    assert options == SiteOptions()
    assert options.origins == []
    assert options.bundle_urls("tiny") == ["models/tiny/"]


def test_origins_are_those_of_all_addresses_once_each() -> None:
    options = site_options(
        models_url="https://A.example/x/",
        mirrors=["https://a.example/y", "https://b.example:8443/"],
        servers=["http://localhost:11434", "http://127.0.0.1:8080/"],
    )
    assert options.origins == [
        "https://a.example",
        "https://b.example:8443",
        "http://localhost:11434",
        "http://127.0.0.1:8080",
    ]
    assert (
        options.bundle_urls("ünï cödé")[1] == "https://a.example/y/%C3%BCn%C3%AF%20c%C3%B6d%C3%A9/"
    )
    assert SiteOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize(
    ("given", "path"),
    [("/", "/"), ("chat", "/chat/"), ("/a/b", "/a/b/"), ("/a.b-c_~/", "/a.b-c_~/")],
)
def test_base_paths(given: str, path: str) -> None:
    assert site_options(base_path=given).base_path == path


@pytest.mark.parametrize(
    "path", ["/a b/", "/a//b/", "/../", "/a/./", "/ü/", '/"/', "/a;/", "/a\n/"]
)
def test_other_base_paths_are_refused(path: str) -> None:
    with pytest.raises(SiteError, match=re.escape(f"--base-path {path}:")):
        site_options(base_path=path)


ADDRESSES = [
    "weights.example.org",
    "//weights.example.org/",
    "ftp://weights.example.org/",
    "https://",
    "https://*.example.org/",
    "https://user:secret@example.org/",
    "https://example.org:99999/",
    "https://example.org/?a=b",
    "https://example.org/#a",
    "https://example.org/a b",
    "https://example.org/;script-src *",
    "https://example.org;x/",
    "https://exa\nmple.org/",
    "https://[::1/",
    "http://[::1]:11434",
    "https://[2001:db8::1]/",
    "http://127.1:8080/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://1.2.3.4.5/",
    "https://127.0.0.1./",
    "http://example.org/",
    "https://ex'ample.org/",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_that_cannot_be_meant_are_refused(address: str) -> None:
    with pytest.raises(SiteError, match=re.escape(f"--models-url {address}:")):
        site_options(models_url=address)
    with pytest.raises(SiteError, match=re.escape(f"--mirror {address}:")):
        site_options(mirrors=[address])
    with pytest.raises(SiteError, match=re.escape(f"--allow-server {address}:")):
        site_options(servers=[address])


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://x.example.org:443", "https://x.example.org"),
        ("http://localhost:80/", "http://localhost"),
        ("https://X.example.org:80", "https://x.example.org:80"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
    ],
)
def test_origins_are_written_as_browsers_do(given: str, origin: str) -> None:
    assert site_options(servers=[given]).servers == (origin,)
    assert site_options(mirrors=[given]).origins == [origin]


def test_an_ipv6_address_is_answered_with_a_name() -> None:
    with pytest.raises(SiteError, match=r"cannot name IPv6 .* \(this machine's is localhost\)"):
        site_options(servers=["http://[::1]:11434"])


def test_a_server_is_an_origin() -> None:
    with pytest.raises(SiteError, match=r"did you mean http://localhost:11434\?"):
        site_options(servers=["http://localhost:11434/v1"])

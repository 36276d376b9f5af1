"""What whoever makes a site decides about it, checked where it enters."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from urllib.parse import quote, urlsplit

from web.errors import SiteError

BASE_PATH = re.compile(r"/([\w.~-]+/)*", re.ASCII)
HOST = re.compile(r"[\w.-]+", re.ASCII)
NUMBER = re.compile(r"(.*\.)?(0x[0-9a-f]*|\d+)\.?")  # a host that browsers take for an IPv4 address
DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class SiteOptions:
    """The same for `llm-site serve` and `llm-site export`."""

    base_path: str = "/"  # where the site will lie on its host
    models_url: str | None = None  # of a folder of bundles elsewhere; None: beside the page
    mirrors: tuple[str, ...] = ()  # of further folders with the same bundles
    servers: tuple[str, ...] = ()  # origins of servers that visitors may choose to ask
    shared: bool = False  # pages of other origins may use the engine and the models
    offline: bool = True  # visitors keep it; without, they lose the service worker they may have

    @property
    def origins(self) -> list[str]:
        """Every origin that the page may talk to, beside its own."""
        addresses = [self.models_url, *self.mirrors, *self.servers]
        return list(dict.fromkeys(_origin(address) for address in addresses if address))

    def bundle_urls(self, slug: str) -> list[str]:
        """Addresses of a bundle's folder: the one to ask first, then its mirrors."""
        first = self.models_url or "models/"
        return [f"{base}{quote(slug)}/" for base in (first, *self.mirrors)]

    def to_json(self) -> str:
        """For the process that `serve --reload` starts."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> SiteOptions:
        """The other end of `to_json`."""
        found = json.loads(text)
        lists = {name: tuple(found[name]) for name in ("mirrors", "servers")}
        return cls(**{**found, **lists})


def site_options(
    *,
    base_path: str = "/",
    models_url: str | None = None,
    mirrors: Sequence[str] = (),
    servers: Sequence[str] = (),
    shared: bool = False,
    offline: bool = True,
) -> SiteOptions:
    """The options as a person gave them. Raises SiteError for what cannot be meant.

    ::

        site_options(models_url="https://weights.example.org/models")
    """
    return SiteOptions(
        base_path=_base_path(base_path),
        models_url=_folder("--models-url", models_url) if models_url is not None else None,
        mirrors=tuple(_folder("--mirror", address) for address in mirrors),
        servers=tuple(_server(address) for address in servers),
        shared=shared,
        offline=offline,
    )


def _base_path(value: str) -> str:
    inner = value.strip("/")
    path = f"/{inner}/" if inner else "/"
    if not BASE_PATH.fullmatch(path) or {".", ".."} & set(path.split("/")):
        raise SiteError(
            f"--base-path {value}: letters, digits, '.', '_', '~', '-' and '/' only, as in /chat/"
        )
    return path


def _folder(option: str, address: str) -> str:
    _check(option, address)
    return address.rstrip("/") + "/"


def _server(address: str) -> str:
    parts = _check("--allow-server", address)
    if parts not in ("", "/"):
        origin = _origin(address)
        raise SiteError(f"--allow-server {address}: an origin has no path; did you mean {origin}?")
    return _origin(address)


def _check(option: str, address: str) -> str:
    """The address's path. What gets through can stand in a Content-Security-Policy."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise SiteError(f"{option} {address}: {error}") from error
    if ":" in host:
        raise SiteError(
            f"{option} {address}: a page's policy cannot name IPv6 addresses; use a name "
            "(this machine's is localhost)"
        )
    plain = parts.netloc.lower() == (host if port is None else f"{host}:{port}")
    if parts.scheme not in DEFAULT_PORTS or not plain or not HOST.fullmatch(host):
        raise SiteError(f"{option} {address}: an address like https://weights.example.org/ please")
    if parts.query or parts.fragment or re.search(r"[\s;,'\"<>\\]", address):
        raise SiteError(f"{option} {address}: no query, fragment, space, quote, ',' or ';'")
    if NUMBER.fullmatch(host) and not _is_ipv4(host):
        raise SiteError(f"{option} {address}: write an IPv4 address as four numbers, as 127.0.0.1")
    if parts.scheme == "http" and not is_loopback(host):
        raise SiteError(
            f"{option} {address}: pages over https may not ask http servers; only this machine "
            "(localhost, 127.0.0.1) is excepted"
        )
    return parts.path


def _origin(address: str) -> str:
    """As browsers write it, which compare origins letter by letter."""
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.hostname}"
    return origin if parts.port in (None, DEFAULT_PORTS[parts.scheme]) else f"{origin}:{parts.port}"


def _is_ipv4(host: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(host)) == host
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

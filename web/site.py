"""A site, whoever serves it: its page, its list of models, its settings.

`llm-site serve` answers with what this module makes, `llm-site export` writes it down.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from web.built import LIST, Built
from web.files import REMOVER, SERVICE_WORKER
from web.headers import content_security_policy, security_headers
from web.listing import INDEX, MODELS, list_site
from web.models import Model, Models
from web.options import SiteOptions

TEMPLATES = Path(__file__).with_name("templates")
HEADERS = "headers.json"
ENGINE = "engine.js"
HOSTS = Path(__file__).with_name("hosts")


class Site:
    """Made anew at every call, from models and a build that may change meanwhile."""

    def __init__(self, models: Models, built: Built, options: SiteOptions) -> None:
        self.models = models
        self.built = built.for_site(security_headers(options))
        self.options = options
        # Changed templates count at once: that is a few calls of stat() for each page.
        self._templates = Environment(
            loader=FileSystemLoader([TEMPLATES, HOSTS]),
            autoescape=select_autoescape(),
            undefined=StrictUndefined,
            auto_reload=True,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def documents(self) -> dict[str, bytes]:
        """Every file that is not of the build or a bundle, by its path below the site."""
        return {**self._changing(), LIST: self.app_list(), "404.html": self.not_found()}

    def page(self) -> bytes:
        """index.html."""
        app = self.built.app()
        return self.render(
            "chat.html",
            assets=app.assets,
            preload=app.preload,
            policy=content_security_policy(self.options.origins, in_page=True),
            site=self.configuration(),
        )

    def configuration(self) -> dict[str, Any]:
        """What the page knows from the start; the chain of trust begins here."""
        servers = list(self.options.servers)
        return {
            "models": [self._entry(model) for model in self.models.list()],
            "origins": self.options.origins,
            "server": {"origins": servers} if servers else None,
            "offline": self.options.offline,
        }

    def model_list(self) -> bytes:
        """models.json, for developers: the page carries the same list itself."""
        return json.dumps(self.configuration()["models"], indent=1).encode()

    def header_list(self) -> bytes:
        """headers.json: what every answer should carry, for whoever can add it."""
        return json.dumps(security_headers(self.options), indent=1).encode()

    def app_list(self) -> bytes:
        """app.json: the build's files, and those of this module that may change."""
        return list_site(self.built.app(), self._changing())

    def engine(self) -> bytes:
        """engine.js, which leads to the engine by its name on this site."""
        return self.built.app().on_site(self.built.read(ENGINE).decode()).encode()

    def _changing(self) -> dict[str, bytes]:
        files = {
            INDEX: self.page(),
            MODELS: self.model_list(),
            HEADERS: self.header_list(),
            ENGINE: self.engine(),
        }
        if not self.options.offline:
            files[SERVICE_WORKER] = (self.built.folder / REMOVER).read_bytes()
        return files

    def not_found(self) -> bytes:
        """404.html, which may be shown at any depth: its addresses begin at the host."""
        return self.render("404.html", base_path=self.options.base_path)

    def render(self, template: str, **values: Any) -> bytes:
        """A template of this package, filled in."""
        return self._templates.get_template(template).render(values).encode()

    def _entry(self, model: Model) -> dict[str, Any]:
        return {**asdict(model), "urls": self.options.bundle_urls(model.slug)}

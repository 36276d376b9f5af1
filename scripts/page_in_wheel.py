"""Hatch build hook: puts the built page into the wheel as web/dist.

Git does not hold static/dist. An editable install does without it: the site finds it in the
checkout once `make build` has made it. A wheel without it would be a site without a page.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageInWheel(BuildHookInterface):  # type: ignore[type-arg, misc]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        page = Path(self.root) / "static" / "dist"
        if not (page / "app.json").is_file():
            raise SystemExit("the page is not built: run `make build` first (needs Node 20+)")
        build_data["force_include"][str(page)] = "web/dist"

"""Draws the PNG icons beside icon.svg anew: `PYTHONPATH=. python scripts/icons.py`.

They are kept in git, because drawing takes a browser. A maskable icon may lose everything outside
the circle of 80 % of its width, so its flame is smaller and its ground reaches the edges.
"""

from __future__ import annotations

import re
from pathlib import Path

from web.browser import browser

FOLDER = Path(__file__).parents[1] / "static" / "public" / "icons"
ICONS = {
    "icon-192.png": (192, False),
    "icon-512.png": (512, False),
    "maskable-192.png": (192, True),
    "maskable-512.png": (512, True),
    "apple-touch-icon.png": (180, True),  # iOS rounds the corners itself
}


def main() -> None:
    drawing = (FOLDER / "icon.svg").read_text()
    with browser(webgpu=False) as chromium:
        page = chromium.new_page()
        for name, (size, full) in ICONS.items():
            page.set_viewport_size({"width": size, "height": size})
            page.set_content(f"<body style='margin:0'>{maskable(drawing) if full else drawing}")
            page.screenshot(path=FOLDER / name, omit_background=True)


def maskable(drawing: str) -> str:
    """The drawing without round corners, its flame small enough for any mask."""
    square = drawing.replace(' rx="5"', "")
    smaller = re.sub(r"scale\([\d.]+\)", "scale(.65)", square)
    if smaller == square or square == drawing:
        raise SystemExit("icon.svg has no rx or no scale: this script needs both")
    return smaller


if __name__ == "__main__":
    main()

"""Where the browsers are, and how to get them."""

from __future__ import annotations

import os
import shutil

FIREFOX_NAMES = (
    "firefox-esr",
    "firefox",
    "/Applications/Firefox.app/Contents/MacOS/firefox",
)
# WebKitGTK's driver starts MiniBrowser, which comes with it and needs an X display.
WEBKIT_NAMES = ("WebKitWebDriver", "Xvfb")
DEBIAN_PACKAGES = ("firefox-esr", "webkit2gtk-driver", "xvfb")


def firefox() -> str | None:
    """$FIREFOX, else an installed Firefox."""
    if named := os.environ.get("FIREFOX"):
        return shutil.which(named) or named
    found = (shutil.which(name) for name in FIREFOX_NAMES)
    return next((path for path in found if path), None)


def webkit() -> tuple[str, str] | None:
    """WebKit's driver and the display it needs, both or none."""
    driver, display = (shutil.which(name) for name in WEBKIT_NAMES)
    return (driver, display) if driver and display else None

"""Headless Chromium for `llm-site verify`, the tests and the benchmarks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

from web.errors import SiteError

NAMES = (
    "google-chrome-stable",
    "google-chrome",
    "chromium",
    "chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
HELP = "install Chrome or Chromium, or name one in the variable CHROMIUM"
SWIFTSHADER = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
# Headless Chromium looks for GPUs only when told to; on Linux it reaches them through Vulkan.
GPU = ("--enable-unsafe-webgpu", "--enable-gpu", "--ignore-gpu-blocklist", "--use-angle=vulkan",
       "--enable-features=Vulkan")  # fmt: skip


def executable() -> str | None:
    """$CHROMIUM, else an installed Chrome or Chromium, else None for Playwright's own."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named) or named
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in found if path), None)


@contextmanager
def browser(
    *, webgpu: bool = True, gpu: bool = False, flags: tuple[str, ...] = ()
) -> Iterator[Browser]:
    """A headless browser. `webgpu` runs on SwiftShader, in software: the same anywhere; with `gpu`
    on the machine's own GPU, if there is one."""
    software = SWIFTSHADER if webgpu else ("--disable-features=WebGPU",)
    graphics = GPU if gpu else software
    with sync_playwright() as playwright:
        try:
            instance = playwright.chromium.launch(
                executable_path=executable(), args=[*FLAGS, *graphics, *flags]
            )
        except Error as error:
            raise SiteError(f"cannot start {executable() or 'Chromium'}: {HELP}") from error
        try:
            yield instance
        finally:
            instance.close()

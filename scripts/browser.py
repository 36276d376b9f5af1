"""Makes sure that there is a browser to test in, and names it.

In this order: $CHROMIUM, an installed Chrome or Chromium, Debian's package, Playwright's download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from web.browser import executable


def main() -> None:
    if executable() is None:
        _install_debian_package()
    if executable() is None:
        _run(sys.executable, "-m", "playwright", "install", "chromium", must_work=True)
    found = executable()
    if found is None:
        print("browser: Playwright's Chromium")
    elif shutil.which(found) is None:
        raise SystemExit(f"no program at {found}: set CHROMIUM to a Chrome or Chromium")
    else:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        print(f"browser: {found} ({version.strip() or 'version unknown'})")


def _install_debian_package() -> None:
    """On Debian only: Ubuntu's package of that name is an empty one that asks for a snap."""
    release = Path("/etc/os-release")
    if not release.exists() or "ID=debian" not in release.read_text().splitlines():
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and shutil.which("sudo") is None:
        return
    _run(*root, "apt-get", "update")
    _run(*root, "apt-get", "install", "-y", "--no-install-recommends", "chromium")


def _run(*command: str, must_work: bool = False) -> None:
    print("$", *command, flush=True)
    subprocess.run(command, check=must_work)


main()

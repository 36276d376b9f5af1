"""Makes sure that there is a browser to test in, and names it; nginx too, a host of test sites.

In this order: $CHROMIUM, an installed Chrome or Chromium, Debian's package, Playwright's download.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from debian import install, run

from web.browser import executable


def nginx() -> str | None:
    """Where it is; Debian has it out of most people's path."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def main() -> None:
    if executable() is None:
        install("chromium")
    if executable() is None:
        run(sys.executable, "-m", "playwright", "install", "chromium", must_work=True)
    if nginx() is None:  # one of the hosts that exported sites are tested on
        install("nginx-light")
    print(f"nginx: {nginx() or 'none: tests that need it will fail'}")
    found = executable()
    if found is None:
        print("browser: Playwright's Chromium")
    elif shutil.which(found) is None:
        raise SystemExit(f"no program at {found}: set CHROMIUM to a Chrome or Chromium")
    else:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        print(f"browser: {found} ({version.strip() or 'version unknown'})")


main()

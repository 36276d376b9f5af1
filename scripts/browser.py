"""Makes sure that there is a browser to test in, and names it.

In this order: $CHROMIUM, an installed Chrome or Chromium, Debian's package, Playwright's download.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from debian import install, run

from web.browser import executable


def main() -> None:
    if executable() is None:
        install("chromium")
    if executable() is None:
        run(sys.executable, "-m", "playwright", "install", "chromium", must_work=True)
    found = executable()
    if found is None:
        print("browser: Playwright's Chromium")
    elif shutil.which(found) is None:
        raise SystemExit(f"no program at {found}: set CHROMIUM to a Chrome or Chromium")
    else:
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        print(f"browser: {found} ({version.strip() or 'version unknown'})")


main()

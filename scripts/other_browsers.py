"""Makes sure that Firefox and WebKit's engine are here, and names them.

$FIREFOX or an installed one, else Debian's packages.
"""

from __future__ import annotations

import sys

from debian import install

from tests.other_browsers import programs


def main() -> None:
    if programs.firefox() is None or programs.webkit() is None:
        install(*programs.DEBIAN_PACKAGES)
    firefox, webkit = programs.firefox(), programs.webkit()
    if firefox is None:
        sys.exit("no Firefox here: install it (mozilla.org), or name one in the variable FIREFOX")
    print(f"Firefox: {firefox}")
    # Other systems have no such driver; on macOS, Safari allows no run without a window.
    print(f"WebKit's engine: {webkit[0] if webkit else 'none, its tests are skipped'}")


main()

"""Debian's packages, for the scripts that set browsers up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def install(*packages: str) -> None:
    """Tries to; whoever calls looks for the programs afterwards.

    On Debian only: Ubuntu's packages of browsers are empty ones that ask for a snap.
    """
    release = Path("/etc/os-release")
    if not release.exists() or "ID=debian" not in release.read_text().splitlines():
        return
    root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if root and shutil.which("sudo") is None:
        return
    run(*root, "apt-get", "update")
    run(*root, "apt-get", "install", "-y", "--no-install-recommends", *packages)


def run(*command: str, must_work: bool = False) -> None:
    print("$", *command, flush=True)
    subprocess.run(command, check=must_work)

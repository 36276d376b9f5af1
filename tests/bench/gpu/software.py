"""An adapter in software: the SwiftShader that comes with a Chromium."""

from __future__ import annotations

from pathlib import Path

from web.browser import executable

ICD = "vk_swiftshader_icd.json"


def software_adapter() -> dict[str, str] | None:
    """The environment in which Dawn finds SwiftShader; None where no Chromium has it."""
    program = executable()
    # Debian's program is a script outside the folder that it starts.
    folders = [Path(program).resolve().parent] if program else []
    for folder in (*folders, Path("/usr/lib/chromium")):
        if (folder / ICD).is_file():
            return {"VK_ICD_FILENAMES": str(folder / ICD), "LD_LIBRARY_PATH": str(folder)}
    return None

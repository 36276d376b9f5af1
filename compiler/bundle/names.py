"""Where the files of a bundle may lie, for whoever reads, serves or copies one.

A bundle may come from a stranger: its names become paths and addresses.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from compiler.bundle.schema import FILE_NAME
from compiler.errors import BundleError

# ASCII: the browser's \w knows no other letters.
NAME = re.compile(FILE_NAME, re.ASCII)


def bundle_file(bundle: Path, name: str) -> Path:
    """The file `name` of the bundle in a folder; `name` has been checked against NAME.

    The folder itself may be a link. Raises BundleError for a file that is a link to somewhere else.
    """
    file = bundle / name
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(bundle)):
        raise BundleError(f"{file} is a link out of the bundle; put the file itself there")
    return file

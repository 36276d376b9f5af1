"""Where weights come from: GGUF files, Hugging Face directories, the hub."""

from compiler.checkpoint.base import Checkpoint, TensorInfo, TokenizerFiles
from compiler.checkpoint.open import open_checkpoint

__all__ = ["Checkpoint", "TensorInfo", "TokenizerFiles", "open_checkpoint"]

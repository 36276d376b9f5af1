"""CPU kernels, for WebAssembly."""

from compiler.kernels.cpu import append, attend, embed, linear, norm, sample

__all__ = ["append", "attend", "embed", "linear", "norm", "sample"]

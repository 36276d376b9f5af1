"""CPU kernels, for WebAssembly."""

from compiler.kernels.cpu import append, attend, embed, keep, linear, norm, sample

__all__ = ["append", "attend", "embed", "keep", "linear", "norm", "sample"]

"""The hot kernels, in TVM TIR, each made by a factory from its shapes and settings."""

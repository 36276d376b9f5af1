"""From recognised Relax programs to a plan: kernels, buffers and steps."""

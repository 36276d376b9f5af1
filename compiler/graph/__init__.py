"""Named Relax passes: canonical operators, recognised patterns, quantization decisions."""

"""From a transformers model to a Relax program."""

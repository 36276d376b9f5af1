"""compile-model: turns a PyTorch language model into a bundle a browser can run."""

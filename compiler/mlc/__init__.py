"""Weights as MLC-LLM's and WebLLM's runtimes read them."""

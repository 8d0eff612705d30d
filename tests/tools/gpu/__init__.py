"""Executed on a GPU: the real chain on a small Llama, recorded case by case, and compared with the predictions."""

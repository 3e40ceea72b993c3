"""Embeddings computed beforehand: the adapter, and the files in which people keep them."""

"""Malformed files of embeddings."""

"""Metrics of embeddings."""

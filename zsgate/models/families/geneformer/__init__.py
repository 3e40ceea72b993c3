"""Geneformer."""

"""The pass over all pairs in torch."""

"""SCimilarity."""

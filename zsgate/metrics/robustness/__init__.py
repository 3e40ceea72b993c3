"""Robustness: whether cells are still recognised once their counts are poorer."""

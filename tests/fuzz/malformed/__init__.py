"""Malformed input of every kind, made by Hypothesis, and what may come of it."""

"""Metrics of predicted genes."""

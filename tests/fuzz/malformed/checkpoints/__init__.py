"""Malformed checkpoints."""

"""Malformed verdict.json."""

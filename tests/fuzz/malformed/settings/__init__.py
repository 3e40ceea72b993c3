"""Malformed pyproject.toml."""

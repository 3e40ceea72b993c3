"""Malformed AnnData files."""

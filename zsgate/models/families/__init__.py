"""Families of models: a package each, from tokens to adapter."""

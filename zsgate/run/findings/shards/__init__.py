"""Shards: records of parts of a run, each of other datasets, made one again."""

"""Gate: what all verdicts of a run, or of its shards, come to."""

"""Models that have an environment of their own: what there is, and making it."""

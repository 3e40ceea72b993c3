"""Models that need an environment of their own: what each needs, what serves it, and what is known of it."""

"""What is known before anything runs: which tests make sense, what cannot be used, and what a run will take."""

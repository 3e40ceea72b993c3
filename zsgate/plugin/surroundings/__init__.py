"""What is around a run: how pytest was started, what else has hooks in it, and the streams that it was given."""

"""The record of a run: put together, with what it ran on."""

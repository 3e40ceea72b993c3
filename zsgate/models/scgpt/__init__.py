"""scGPT."""

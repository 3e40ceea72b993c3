"""CELLama."""

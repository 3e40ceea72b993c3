"""scFoundation."""

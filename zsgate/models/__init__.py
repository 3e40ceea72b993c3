"""Models by name: the adapters this package ships."""

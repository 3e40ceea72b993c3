"""zsgate: acceptance tests for single-cell foundation models, as a pytest plugin."""

__version__ = "0.1.0"

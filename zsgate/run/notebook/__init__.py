"""Python's door: an embedding of an AnnData is judged without pytest, by the same run."""

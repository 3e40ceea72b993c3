"""A file of cells: which formats there are, whether it is sound, its tables and its matrices."""

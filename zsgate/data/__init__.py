"""From files to Datasets."""

"""UCE: cells as sentences of proteins."""

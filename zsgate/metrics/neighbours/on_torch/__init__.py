"""The pass over all pairs, and the search for neighbours, in torch."""

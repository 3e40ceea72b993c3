"""Clusters of the cells: Louvain on the neighbour graph of an embedding."""

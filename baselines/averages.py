"""Averages: what a model's predictions of genes are compared with, fitted from its own targets."""

from __future__ import annotations

from zsgate.baselines import average_rank, mean
from zsgate.metrics.reconstruction.averages import Averages

AVERAGES = Averages(
    values={"mean": mean.global_mean, "gene_mean": mean.gene_mean, "cell_gene_mean": mean.cell_gene_mean},
    ranks={"average_rank": average_rank.guesses},
    gene_errors=mean.of_genes,
)

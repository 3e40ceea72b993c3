"""What became of a dataset's genes in the hands of a model that reconstructs them, and numbers to draw it from."""

from __future__ import annotations

from typing import Literal

import msgspec

from zsgate.report.record.entry import Count, Entry, Share


class DensityRecord(Entry, frozen=True, kw_only=True):
    """How many points fall in each cell of a square grid of true and predicted values.

    Attributes
    ----------
    low
        Lower end of both axes.
    high
        Upper end of both axes.
    counts
        Counts, a row for each step of the prediction upwards, shape (n, n).
    """

    low: float
    high: float
    counts: tuple[tuple[int, ...], ...]


class GeneErrors(Entry, frozen=True, kw_only=True):
    """Errors by gene.

    Attributes
    ----------
    mean
        Mean target of each gene, shape (n_genes,).
    errors
        Squared error of each gene by head, and of the gene's mean, each shape (n_genes,).
    """

    mean: tuple[float, ...]
    errors: dict[str, tuple[float, ...]]


class FiguresRecord(Entry, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers behind the figures; what is not drawn is left out.

    Attributes
    ----------
    densities
        By head or average, the density of its predictions.
    genes
        Errors by gene.
    """

    densities: dict[str, DensityRecord] = msgspec.field(default_factory=dict)
    genes: GeneErrors | None = None


class ReconstructionRecord(Entry, frozen=True, kw_only=True):
    """One pass over a dataset's genes with a share of them hidden.

    Attributes
    ----------
    dataset
        Whose genes.
    scale
        What is predicted.
    masked
        Share of each cell's genes hidden.
    heads
        Ways in which the model predicts.
    groups
        What the averages are fitted without.
    in_sample
        As the paper's code: pooled, and fitted on what is scored.
    n_cells
        Number of cells.
    n_scored
        Number of cells with genes that are scored.
    values
        Statistic, then candidate, baseline or identity_copy.
    noise_floor
        Squared error no model can avoid on hidden genes.
    copied
        By head, error on the genes shown in units of their variance, or share of tokens missed.
    nearly
        Below it a head is said to copy.
    described
        Statistic, then count, mean, std and quartiles over cells.
    figures
        Numbers behind the figures.
    """

    dataset: str
    scale: Literal["bin", "rank", "counts", "lognorm"]
    masked: Share = 0.0
    heads: tuple[str, ...] = ()
    groups: str = ""
    in_sample: bool = False
    n_cells: Count | None = None
    n_scored: Count | None = None
    values: dict[str, dict[str, float | None]] = msgspec.field(default_factory=dict)
    noise_floor: float | None = None
    copied: dict[str, float | None] = msgspec.field(default_factory=dict)
    nearly: float = 0.01
    described: dict[str, dict[str, float | None]] = msgspec.field(default_factory=dict)
    figures: FiguresRecord = FiguresRecord()

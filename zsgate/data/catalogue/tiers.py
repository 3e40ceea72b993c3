"""Tiers: which datasets of the catalogue are judged on together."""

TIERS = {
    "quick": ("pancreas_quick",),
    "pr": ("pancreas", "pbmc_12k"),
    "full": ("pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens"),
}

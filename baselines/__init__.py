"""What a candidate must beat. A new baseline is a module here and a line in this table."""

from __future__ import annotations

from importlib.util import find_spec

BASELINES = {
    "hvg": "zsgate.baselines.hvg:embed",
    "pca": "zsgate.baselines.pca:embed",
    "scvi": "zsgate.baselines.scvi.baseline:embed",
    "harmony": "zsgate.baselines.harmony:embed",
    "random_init": "zsgate.baselines.random_init:embed",
}
ON_REQUEST = ("harmony",)  # those that a candidate is compared with where --baselines names them
# what untrained twins are held against; no candidate is
YARDSTICKS = {"random_projection": "zsgate.baselines.random_projection:embed"}
# how often those that draw chance are drawn where --seeds says nothing; benchmarks.twins shows what others would do
DRAWS = {"scvi": 3, "harmony": 3, "random_init": 3}
# averages that a candidate's predictions of genes must beat, by what it predicts; averages.py has their functions
VALUE_AVERAGES = ("mean", "gene_mean", "cell_gene_mean")
RANK_AVERAGES = ("average_rank",)
RECONSTRUCTION_BASELINES = (*VALUE_AVERAGES, *RANK_AVERAGES)
# the package a baseline needs beyond those of zsgate, and the extra that brings it
NEEDS = {"scvi": ("scvi", "zsgate[scvi]"), "harmony": ("harmony", "zsgate[harmony]")}


def lacking(name: str) -> str:
    """Return what a baseline needs and this environment lacks, with what to do; empty if nothing."""
    package, extra = NEEDS.get(name, ("", ""))
    if not package or find_spec(package) is not None:
        return ""
    return f"the baseline {name} needs a package that is not installed: pip install '{extra}', or -k \"not {name}\""

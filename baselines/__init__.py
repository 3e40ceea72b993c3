"""What a candidate must beat. A new baseline is a module here and a line in this table."""

from __future__ import annotations

BASELINES = {
    "hvg": "zsgate.baselines.hvg:embed",
    "pca": "zsgate.baselines.pca:embed",
    "scvi": "zsgate.baselines.scvi:embed",
    "random_init": "zsgate.baselines.random_init:embed",
}

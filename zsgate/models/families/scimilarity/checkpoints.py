"""The published SCimilarity: where its files are, and what is known of it."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import Checkpoint, Family, Verified, WeightFile

LABELLED = "pretrained on cell-type labels (triplets of the same and another type): not free of labels"
FILES = (
    WeightFile(
        name="encoder.ckpt",
        sha256="a08f023788bdbded191e2d9344e5d4240ffc7d7505eca4e0b7a37526b858d19f",
        read_in="a third party's record of encoder.ckpt in model_v1.1.tar.gz",
    ),
    WeightFile(name="layer_sizes.json"),
    WeightFile(name="gene_order.tsv"),
)

FAMILY = Family(
    name="scimilarity",
    own=tuple(WeightFile(name=file.name) for file in FILES),
    verified=Verified(tokens=True, forward=True, end_to_end=True),
    checkpoints=(
        Checkpoint(
            name="scimilarity_v1_1",
            family="scimilarity",
            files=FILES,
            page="https://zenodo.org/records/10685499 (model_v1.1.tar.gz)",
            citation="Heimberg et al. 2025, Nature, doi:10.1038/s41586-024-08411-y",
            code_licence="Apache-2.0",
            weights_licence="Zenodo record 10685499, terms not checked",
            notes=(LABELLED,),
        ),
    ),
)

"""The published scBERT: where its files are, and what is known of it."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import HUB, Checkpoint, Family, Verified, WeightFile

MODEL, GENES = "panglao_pretrain.pth", "gene_order_16906.h5ad"
FILES = (
    WeightFile(
        name=MODEL,
        url=f"{HUB}/btraven/scbert-panglao-pretrain/resolve/main/{MODEL}",
        sha256="aa27109136580b24a1b985f63d0ba31f22490d09e71b13d1793cbff38619dfe3",
        n_bytes=87_631_538,
        read_in="a record of btraven/scbert-panglao-pretrain, a re-upload",
    ),
    WeightFile(name=GENES),  # in the package scfoundry 0.2.1
)
FAMILY = Family(
    name="scbert",
    own=(WeightFile(name=MODEL), WeightFile(name=GENES)),
    verified=Verified(tokens=True, forward=True, end_to_end=True),
    checkpoints=(
        Checkpoint(
            name="scbert_panglao",
            family="scbert",
            files=FILES,
            page="https://github.com/TencentAILabHealthcare/scBERT (list of genes: the package scfoundry 0.2.1)",
            citation="Yang et al. 2022, Nature Machine Intelligence, doi:10.1038/s42256-022-00534-z",
            code_licence="GPL-3.0 (not used: written anew after the papers, its outputs tested for equality)",
            weights_licence="GPL-3.0 (repository)",
            notes=("the weights' direct link is a re-upload that upstream has not confirmed",),
        ),
    ),
)

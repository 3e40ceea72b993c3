"""The published scFoundation: where its files are, and what is known of it."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import HUB, Checkpoint, Family, Verified, WeightFile

REPOSITORY = "biomap-research/scFoundation"
COMMIT = "d09626a5c1bc30b9c6227378677b61e0b987fe8b"
GENES = "OS_scRNA_gene_index.19264.tsv"
FILES = (
    WeightFile(
        name="models.ckpt",
        sha256="9f40bf324d3d0084c4b288d06f5af4fddd12206e2a3f022551d12e89e33a0ea9",
        read_in="a third party's record of models.ckpt",
    ),
    WeightFile(
        name=GENES,
        url=f"https://raw.githubusercontent.com/{REPOSITORY}/{COMMIT}/model/{GENES}",
        sha256="bb337ea195d94e7b033543abc02a42e7060d6562eba97deb077f7dcecec62661",
        n_bytes=228_232,
        read_in=f"{REPOSITORY}@{COMMIT[:8]}",
    ),
)

FAMILY = Family(
    name="scfoundation",
    own=tuple(WeightFile(name=file.name) for file in FILES),
    verified=Verified(forward=True, end_to_end=True),  # tokens equal upstream's, but over genes made up
    checkpoints=(
        Checkpoint(
            name="scfoundation_cell",
            family="scfoundation",
            files=FILES,
            page=f"https://github.com/{REPOSITORY} (model/README.md) or {HUB}/genbio-ai/scFoundation",
            citation="Hao et al. 2024, Nature Methods, doi:10.1038/s41592-024-02305-7",
            code_licence="Apache-2.0",
            weights_licence="scFoundation License: non-commercial research only",
        ),
    ),
)

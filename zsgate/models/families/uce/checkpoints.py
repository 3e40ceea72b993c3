"""Every published UCE: where its files are, and what is known of them."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import Checkpoint, Family, Verified, WeightFile

PLACES, OFFSETS = "species_chrom.csv", "species_offsets.pkl"
PROTEINS = "Homo_sapiens.GRCh38.gene_symbol_to_embedding_ESM2.pt"
FILES = "https://figshare.com/ndownloader/files"
READ = "third parties' records of figshare 24320806"
GENES = (
    WeightFile(name=PROTEINS),  # in an archive, protein_embeddings.tar.gz
    WeightFile(name=OFFSETS, url=f"{FILES}/42706555"),
    WeightFile(name=PLACES, url=f"{FILES}/42706558"),
)


def _uce(depth: int, model: WeightFile) -> Checkpoint:
    return Checkpoint(
        name=f"uce_{depth}l",
        family="uce",
        files=(model, *GENES),
        page=f"https://doi.org/10.6084/m9.figshare.24320806 (proteins: {FILES}/42715213)",
        citation="Rosen et al. 2023, bioRxiv, doi:10.1101/2023.11.28.568918",
        code_licence="MIT",
        weights_licence="MIT",
    )


FAMILY = Family(
    name="uce",
    own=(WeightFile(name="model.torch"), *GENES),
    verified=Verified(forward=True, end_to_end=True),  # sentences equal upstream's, but over genes made up
    checkpoints=(
        _uce(
            4,
            WeightFile(
                name="4layer_model.torch",
                url=f"{FILES}/42706576",
                sha256="acb28f3f0a1d803e4a4ffe891b9bab38bf93c84762dc06b2452f0d515da91560",
                n_bytes=3_403_514_339,
                read_in=READ,
            ),
        ),
        _uce(
            33,
            WeightFile(
                name="33l_8ep_1024t_1280.torch",
                url=f"{FILES}/43423236",
                sha256="3f458726196308e171611ed28394b55865708749f82af68cfd7771d5dfee661e",
                read_in=READ,
            ),
        ),
    ),
)

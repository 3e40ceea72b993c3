"""The five datasets of the paper, Kedzierska et al., Genome Biology 26:101 (2025), Table 1, and other readings of them.

What the paper's text or code states is taken over. What had to be inferred is said to be so in the notes, and the other
reading has a card of its own.
"""

from __future__ import annotations

from dataclasses import replace

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.card import Card, File
from zsgate.data.leakage.exposure import Status

SEEN: Status = "seen"
NOT_SEEN: Status = "not seen"
PAPER = "Kedzierska et al. 2025"
GENEFORMERS = ("geneformer_v1_10m", "geneformer_v1_12l")  # pretrained on Genecorpus-30M
CENSUS = {"scgpt_human": (SEEN, f"CELLxGENE census of May 2023, {PAPER}")}
OUTSIDE_CENSUS = {"scgpt_human": (NOT_SEEN, PAPER)}
OUTSIDE_GENECORPUS = dict.fromkeys(GENEFORMERS, (NOT_SEEN, PAPER))

FIGSHARE = "https://ndownloader.figshare.com/files"
PANCREAS = Card(
    name="pancreas",
    files=(
        File(
            name="human_pancreas_norm_complexBatch.h5ad",
            url=f"{FIGSHARE}/24539828",
            sha256="97e6dfd65553e4d10aa3ef5d904362970a75c677c31d70fabc9234191a09db8c",
            read_in="digests that others published of figshare 12420968, file 24539828",
        ),
    ),
    builder="pancreas",
    columns=Columns(label="celltype", batch="tech", counts="layers/counts"),
    n_cells=16_382,
    n_labels=14,
    n_batches=6,
    scope="cells",
    source="figshare 12420968 (scIB), human_pancreas_norm_complexBatch.h5ad",
    licence="as figshare 12420968 states",
    citation="Luecken et al. 2022, Nature Methods, doi:10.1038/s41592-021-01336-8",
    notes=(
        "the six batches are the technologies, inDrop1 to inDrop4 taken as one, as in the paper's code",
        "part of the counts are fractional in the file (corrected for UMI collisions, expected counts); they are "
        "rounded to the nearest integer",
        "the file names no donors, so verdicts speak for these donors only",
    ),
    exposure={
        **dict.fromkeys(GENEFORMERS, (SEEN, f"its inDrop cells, GSE84133, {PAPER}")),
        **OUTSIDE_CENSUS,
    },
)
PANCREAS_9_BATCHES = replace(
    PANCREAS,
    name="pancreas_9_batches",
    builder="rounded",
    n_batches=9,
    notes=("batches as in the file, the four inDrop runs apart, as in the paper's scGPT notebook", *PANCREAS.notes[1:]),
)
PANCREAS_NO_OVERLAP = replace(
    PANCREAS,
    name="pancreas_no_overlap",
    builder="pancreas_no_overlap",
    n_cells=None,
    n_labels=None,
    n_batches=5,
    notes=(
        "without the inDrop cells (GSE84133, Baron et al. 2016), which Geneformer V1 was pretrained on; the paper "
        "names the subset but not its cells, so the rule is inferred from the accession",
        *PANCREAS.notes[1:],
    ),
    exposure={**OUTSIDE_GENECORPUS, **OUTSIDE_CENSUS},
)

TENX = "https://cf.10xgenomics.com/samples/cell-exp"
SCVI_DATA = "https://github.com/YosefLab/scVI-data/raw/9a647afc8893604fa11024ddcd5fc5bb22b8e50e"
SCVI_DATA_READ = "the files of YosefLab/scVI-data@9a647afc"
PBMC_12K = Card(
    name="pbmc_12k",
    files=(
        *(
            File(name=f"{name}.tar.gz", url=f"{TENX}/2.1.0/{name}/{name}_filtered_gene_bc_matrices.tar.gz")
            for name in ("pbmc8k", "pbmc4k")
        ),
        File(
            name="gene_info.csv",
            url=f"{SCVI_DATA}/gene_info.csv",
            sha256="cc33ad3226e9750de0f1d9782b9021d6a82224f6dde43005e6d6558eb560f9d5",
            n_bytes=908_183,
            read_in=SCVI_DATA_READ,
        ),
        File(
            name="pbmc_metadata.pickle",
            url=f"{SCVI_DATA}/pbmc_metadata.pickle",
            sha256="a7b8b2a5cec508b8f3c080aa28bcc3c6be34ab249bacc4c6b8bc1cec3a966e07",
            n_bytes=4_000_144,
            read_in=SCVI_DATA_READ,
        ),
    ),
    builder="pbmc_12k",
    columns=Columns(label="str_labels", batch="batch", counts="X"),
    n_cells=11_990,
    n_labels=9,
    n_batches=2,
    scope="cells",
    source="10x Genomics pbmc8k and pbmc4k, put together as scvi.data.pbmc_dataset() does",
    licence="CC BY 4.0 (counts); the labels of scVI-data state none",
    citation="Gayoso et al. 2022, Nature Biotechnology, doi:10.1038/s41587-021-01206-w; 10x Genomics",
    notes=(
        "3,346 genes only, as in the paper's source",
        "both batches are of one donor, so verdicts speak for this donor only",
        "where both batches have a cell of the same barcode, scvi-tools gives the label of the 8k cell to the counts "
        "of the 4k cell and drops the other; kept as published",
    ),
    exposure={**OUTSIDE_GENECORPUS, **OUTSIDE_CENSUS},
)

POPULATIONS = {
    "b_cells": 10_085,
    "cd14_monocytes": 2_612,
    "cd34": 9_232,
    "cd4_t_helper": 11_213,
    "cd56_nk": 8_385,
    "cytotoxic_t": 10_209,
    "memory_t": 10_224,
    "naive_cytotoxic": 11_953,
    "naive_t": 10_479,
    "regulatory_t": 10_263,
}
PBMC_95K = Card(
    name="pbmc_95k",
    files=tuple(
        File(name=f"{name}.tar.gz", url=f"{TENX}/1.1.0/{name}/{name}_filtered_gene_bc_matrices.tar.gz")
        for name in POPULATIONS
    ),
    builder="pbmc_95k",
    columns=Columns(label="population", counts="X"),
    n_cells=sum(POPULATIONS.values()),
    n_labels=10,
    n_batches=1,
    scope="cells",
    source="10x Genomics, the ten bead-purified populations of Zheng et al. 2017",
    licence="CC BY 4.0",
    citation="Zheng et al. 2017, Nature Communications, doi:10.1038/ncomms14049",
    notes=(
        "that the paper's 95k cells are the ten purified populations is inferred: they have 94,655 cells together",
        "the label is the population a cell was purified as",
        "one batch, so there is no batch score; no donors are named, so verdicts speak for these cells' donor only",
    ),
    exposure={**OUTSIDE_GENECORPUS, **OUTSIDE_CENSUS},
)

IMMUNE = Card(
    name="immune",
    files=(
        File(
            name="CountAdded_PIP_global_object_for_cellxgene.h5ad",
            url="https://cellgeni.cog.sanger.ac.uk/pan-immune/CountAdded_PIP_global_object_for_cellxgene.h5ad",
            n_bytes=10_233_316_828,
            read_in="listings of the file server of tissueimmunecellatlas.org",
        ),
    ),
    columns=Columns(label="Manually_curated_celltype", batch="Donor+Chemistry", donor="Donor", counts="layers/counts"),
    n_cells=329_762,
    n_labels=45,
    n_batches=None,
    source="tissueimmunecellatlas.org, the global object with counts",
    licence="as tissueimmunecellatlas.org states",
    citation="Domínguez Conde et al. 2022, Science, doi:10.1126/science.abl5197",
    notes=(
        "what the paper's 31 batches are is not published; here a batch is a donor and a chemistry. immune_by_donor "
        "takes the 12 donors as batches",
    ),
    exposure={**OUTSIDE_GENECORPUS, **CENSUS},
)
IMMUNE_BY_DONOR = replace(
    IMMUNE,
    name="immune_by_donor",
    columns=replace(IMMUNE.columns, batch="Donor"),
    n_batches=12,
    notes=("what the paper's 31 batches are is not published; here a batch is a donor",),
)

TABULA_SAPIENS = Card(
    name="tabula_sapiens",
    files=(File(name="TabulaSapiens.h5ad.zip", url=f"{FIGSHARE}/40067134"),),
    builder="zipped",
    columns=Columns(label="organ_tissue", batch="donor+method", donor="donor", counts="layers/raw_counts"),
    n_cells=483_152,
    n_labels=24,
    n_batches=27,
    source="figshare 14267219 (Tabula Sapiens release 1), TabulaSapiens.h5ad.zip",
    licence="CC BY 4.0",
    citation="Tabula Sapiens Consortium 2022, Science, doi:10.1126/science.abl4896",
    notes=(
        "that the paper's 24 labels are the 24 tissues is inferred from its Table 1; tabula_sapiens_cell_types takes "
        "the cell ontology classes, which are many more",
        "that its 27 batches are donor and method is inferred as well",
        "smart-seq2 cells hold read counts, 10x cells UMI counts",
        "figshare has had two files of this name, 34702114 (linked by github.com/keiserlab/exceiver) and this one; the "
        "paper does not say which it took, and no size or checksum of either was found in print",
    ),
    exposure={
        **OUTSIDE_GENECORPUS,
        **CENSUS,
        "scgpt_continual": (SEEN, "pretraining continued on its cell-type labels"),
    },
)
TABULA_SAPIENS_CELL_TYPES = replace(
    TABULA_SAPIENS,
    name="tabula_sapiens_cell_types",
    columns=replace(TABULA_SAPIENS.columns, label="cell_ontology_class"),
    n_labels=None,
    notes=("labels are cell ontology classes, not the paper's 24 tissues", *TABULA_SAPIENS.notes[1:]),
)

PAPERS = (
    *(PANCREAS, PANCREAS_9_BATCHES, PANCREAS_NO_OVERLAP, PBMC_12K, PBMC_95K),
    *(IMMUNE, IMMUNE_BY_DONOR, TABULA_SAPIENS, TABULA_SAPIENS_CELL_TYPES),
)

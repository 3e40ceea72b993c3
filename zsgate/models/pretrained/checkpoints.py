"""Checkpoints: every published scGPT and Geneformer, where its files are, and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Family = Literal["scgpt", "geneformer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One file of a checkpoint.

    Attributes
    ----------
    name
        Name in the folder a user gives, and in the cache.
    url
        Where it is downloaded from; None where the official place offers no direct link.
    sha256
        Published digest; None where no source states one.
    n_bytes
        Published size; None where no source states one.
    read_in
        Where digest and size were read; None where there is no digest.
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    n_bytes: int | None = None
    read_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A published model.

    Attributes
    ----------
    name
        What ``--model`` calls it.
    family
        ``"scgpt"`` or ``"geneformer"``.
    files
        All files it needs.
    page
        Where a person finds them.
    citation, code_licence, weights_licence
        As the report states them.
    pretraining
        Names of datasets documented to be in the pretraining data; None is unknown, never "none".
    notes
        Remarks for the report.
    own
        Whether these are somebody's own weights, of which nothing is published.
    """

    name: str
    family: Family
    files: tuple[WeightFile, ...]
    page: str
    citation: str
    code_licence: str
    weights_licence: str
    pretraining: tuple[str, ...] | None = None
    notes: tuple[str, ...] = field(default=())
    own: bool = False


HUB = "https://huggingface.co"
DRIVE = "https://drive.google.com/drive/folders"

SCGPT_HUMAN_READ = "LFS pointers of wanglab/scGPT-human@a24c2377 and of its mirror u-cellm/scGPT-whole-human"
SCGPT_CONTINUAL_READ = "a third party's record of the Drive folder's best_model.pt"
SCGPT_HUB = f"{HUB}/wanglab/scGPT-human/resolve/a24c237737a40f3720f75abb555489e9fe753be6"
SCGPT_VOCABULARY = "acca93d114ca62c3f0f50debbd23e8c87f0714f4737764454f6b2b13f2e8580f"
SCGPT_HUMAN = (
    WeightFile(
        name="best_model.pt",
        url=f"{SCGPT_HUB}/best_model.pt",
        sha256="6cb5d451ab5c4b33eb673adbe4fddc61d2389df1b89b7651a9fe2e557572b922",
        n_bytes=205_385_258,
        read_in=SCGPT_HUMAN_READ,
    ),
    WeightFile(
        name="args.json",
        url=f"{SCGPT_HUB}/args.json",
        sha256="c18e075e018140cb8b2d9029387b9de26607a5ce6a8ccabd6ead70cd76b95d60",
        n_bytes=1_300,
        read_in=SCGPT_HUMAN_READ,
    ),
    WeightFile(
        name="vocab.json",
        url=f"{SCGPT_HUB}/vocab.json",
        sha256=SCGPT_VOCABULARY,
        n_bytes=1_317_639,
        read_in=SCGPT_HUMAN_READ,
    ),
)
SCGPT_CONTINUAL = (
    WeightFile(
        name="best_model.pt",
        sha256="ad0252a1971e0cd619b7116dbab3177432236c4537225d54280a2aa7e5fe402a",
        n_bytes=207_861_754,
        read_in=SCGPT_CONTINUAL_READ,
    ),
    WeightFile(name="args.json"),
    WeightFile(name="vocab.json"),
)
SCGPT_ORGAN = (WeightFile(name="best_model.pt"), WeightFile(name="args.json"), WeightFile(name="vocab.json"))


def _scgpt(name: str, folder: str, files: tuple[WeightFile, ...], *notes: str) -> Checkpoint:
    return Checkpoint(
        name=f"scgpt_{name}",
        family="scgpt",
        files=files,
        page=f"{DRIVE}/{folder}",
        citation="Cui et al. 2024, Nature Methods, doi:10.1038/s41592-024-02201-0",
        code_licence="MIT",
        weights_licence="no terms published (repository MIT)",
        notes=notes,
    )


GENEFORMER_READ = "LFS pointers of ctheodoris/Geneformer@04c2b2e8, read in explorerwjy/Geneformer@dff467cb"
GENEFORMER_HUB = f"{HUB}/ctheodoris/Geneformer/resolve/04c2b2e84da7c0f385c3f9ad8f3ec24bab6650e5"
GENEFORMER_2023 = f"{HUB}/ctheodoris/Geneformer/resolve/5d0082c1e188ab88997efa87891414fdc6e4f6ff"


def _dictionaries(corpus: str, folder: str, published: tuple[tuple[str, str, int], ...]) -> tuple[WeightFile, ...]:
    return tuple(
        WeightFile(
            name=f"{kind}_{corpus}.pkl",
            url=f"{GENEFORMER_HUB}/{folder}/{kind}_{corpus}.pkl",
            sha256=sha256,
            n_bytes=n_bytes,
            read_in=GENEFORMER_READ,
        )
        for kind, sha256, n_bytes in published
    )


# fmt: off
DICTIONARIES_V1 = _dictionaries("gc30M", "geneformer/gene_dictionaries_30m", (
    ("token_dictionary", "ab9dc40973fa5224d77b793e2fd114cacf3d08423ed9c4c49caf0ba9c7f218f1", 788_424),
    ("gene_median_dictionary", "b3b589bb5ec75040d05fc44dd6bf0184cf87f3c362cf158d196a6ed3b7fe5f39", 940_965),
    ("gene_name_id_dict", "55e67962e79c0039a6c32d43c5c99f38e51964bbcfa32f736150ee1e285c438c", 1_117_117),
    ("ensembl_mapping_dict", "eac0fb0b3007267871b6305ac0003ceba19d4f28d85686cb9067ecf142787869", 584_125),
))
DICTIONARIES_V2 = _dictionaries("gc104M", "geneformer", (
    ("token_dictionary", "67c445f4385127adfc48dcc072320cd65d6822829bf27dd38070e6e787bc597f", 425_590),
    ("gene_median_dictionary", "a51c53f6a771d64508dfaf61529df70e394c53bd20856926117ae5d641a24bf5", 1_512_661),
    ("gene_name_id_dict", "fabfa0c2f49c598c59ae432a32c3499a5908c033756c663b5e0cddf58deea8e1", 1_660_882),
    ("ensembl_mapping_dict", "0819bcbd869cfa14279449b037eb9ed1d09a91310e77bd1a19d927465030e95c", 3_957_652),
))
# fmt: on


def _geneformer(
    name: str, model: tuple[WeightFile, ...], dictionaries: tuple[WeightFile, ...], *notes: str
) -> Checkpoint:
    return Checkpoint(
        name=f"geneformer_{name}",
        family="geneformer",
        files=(*model, *dictionaries),
        page=f"{HUB}/ctheodoris/Geneformer",
        citation="Theodoris et al. 2023, Nature, doi:10.1038/s41586-023-06139-9",
        code_licence="Apache-2.0",
        weights_licence="Apache-2.0",
        pretraining=("pancreas",) if name.startswith("v1") else None,
        notes=notes,
    )


def _model(folder: str, sha256: str, n_bytes: int, config: str | None = None) -> tuple[WeightFile, ...]:
    base = f"{GENEFORMER_HUB}/{folder}"
    return (
        WeightFile(
            name="model.safetensors",
            url=f"{base}/model.safetensors",
            sha256=sha256,
            n_bytes=n_bytes,
            read_in=GENEFORMER_READ,
        ),
        WeightFile(name="config.json", url=f"{base}/config.json", sha256=config, read_in=config and GENEFORMER_READ),
    )


V1_10M = _model(
    "Geneformer-V1-10M",
    "a5e33a757431643b3697de7ef6127950cdc49e06e58d4266b3a3ab191b683f14",
    41_183_536,
    "9cf69ca3bdb0215c4188b54c451b6f02adfe68b8f66011a57d0f32845133fd4b",
)
V1_12L = tuple(
    WeightFile(name=name, url=f"{GENEFORMER_2023}/geneformer-12L-30M/{name}")
    for name in ("pytorch_model.bin", "config.json")
)
V2_104M = _model("Geneformer-V2-104M", "fff5cba29ddd8792991fa77b4872246fbe548a178cebda3775cdc72b67780e7f", 417_571_156)
V2_CLCANCER = _model(
    "Geneformer-V2-104M_CLcancer",
    "827738139bfed4bafa9d1f3df7c6146da2e3b85f7225076adc32c6eda0ba4357",
    417_571_156,
)
V2_316M = _model(
    "Geneformer-V2-316M", "965ceccea81953d362081ef3843560a0e4fef88d396c28017881f1e94b1246f3", 1_265_455_076
)

CHECKPOINTS: dict[str, Checkpoint] = {
    each.name: each
    for each in (
        _scgpt("human", "1oWh_-ZRdhtoGQ2Fw24HP41FgLoomVo-y", SCGPT_HUMAN),
        _scgpt("blood", "1kkug5C7NjvXIwQGGaGoqXTk_Lb_pDrBU", SCGPT_ORGAN),
        _scgpt("kidney", "1S-1AR65DF120kNFpEbWCvRHPhpkGK3kK", SCGPT_ORGAN),
        _scgpt("brain", "1vf1ijfQSk7rGdDGpBntR5bi5g6gNt-Gx", SCGPT_ORGAN),
        _scgpt("heart", "1GcgXrd7apn6y4Ze_iSCncskX3UsWPY2r", SCGPT_ORGAN),
        _scgpt("lung", "16A1DJ30PT6bodt4bWLa4hpS7gbWZQFBG", SCGPT_ORGAN),
        _scgpt("pancancer", "13QzLHilYUd0v3HTwa_9n4G4yEF-hdkqa", SCGPT_ORGAN),
        _scgpt(
            "continual",
            "1_GROJTzXiAV8HB4imruOTk6PEGuNOcgB",
            SCGPT_CONTINUAL,
            "pretraining continued on cell-type labels, Tabula Sapiens among them: not free of labels",
        ),
        _geneformer("v1_10m", V1_10M, DICTIONARIES_V1, "the six-layer model of Kedzierska et al."),
        _geneformer("v1_12l", V1_12L, DICTIONARIES_V1),
        _geneformer("v2_104m", V2_104M, DICTIONARIES_V2),
        _geneformer("v2_316m", V2_316M, DICTIONARIES_V2),
        _geneformer("v2_104m_clcancer", V2_CLCANCER, DICTIONARIES_V2, "pretraining continued on tumours"),
    )
}

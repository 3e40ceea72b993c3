"""Every published Geneformer: where its files are, and what is known of them."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import HUB, Checkpoint, Family, Verified, WeightFile

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

FAMILY = Family(
    name="geneformer",
    own=(WeightFile(name="model.safetensors"), WeightFile(name="config.json")),
    verified=Verified(tokens=True, forward=True, end_to_end=True),
    presets=("official", "paper"),
    checkpoints=(
        _geneformer("v1_10m", V1_10M, DICTIONARIES_V1, "the six-layer model of Kedzierska et al."),
        _geneformer("v1_12l", V1_12L, DICTIONARIES_V1),
        _geneformer("v2_104m", V2_104M, DICTIONARIES_V2),
        _geneformer("v2_316m", V2_316M, DICTIONARIES_V2),
        _geneformer("v2_104m_clcancer", V2_CLCANCER, DICTIONARIES_V2, "pretraining continued on tumours"),
    ),
)

"""Every published scGPT: where its files are, and what is known of them."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import DRIVE, HUB, Checkpoint, Family, Verified, WeightFile

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


FAMILY = Family(
    name="scgpt",
    own=SCGPT_ORGAN,
    verified=Verified(tokens=True, forward=True, end_to_end=True),
    presets=("official", "paper"),
    checkpoints=(
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
    ),
)

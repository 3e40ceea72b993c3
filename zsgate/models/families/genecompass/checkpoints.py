"""Every published GeneCompass: where its files are, and what is known of them."""

from __future__ import annotations

from zsgate.models.pretrained.checkpoint import Checkpoint, Family, Verified, WeightFile

MODEL, CONFIG = "pytorch_model.bin", "config.json"
TOKENS = "human_mouse_tokens.pickle"  # in upstream's prior_knowledge/
MEDIANS = "human_gene_median_after_filter.pickle"  # of upstream's preprocess.py
NAMES = "Gene_id_name_dict_human_mouse.pickle"  # in upstream's prior_knowledge/gene_list/
FILES = tuple(WeightFile(name=name) for name in (MODEL, CONFIG, TOKENS, MEDIANS, NAMES))
LAYERS = {"genecompass_base": 12, "genecompass_small": 6}


def _genecompass(name: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        family="genecompass",
        files=FILES,
        page=(
            "https://www.scidb.cn/en/anonymous/SUZOdk1y (model), https://github.com/xCompass-AI/GeneCompass (tokens, "
            "names; medians as its preprocess/ calls them)"
        ),
        citation="Yang et al. 2024, Cell Research, doi:10.1038/s41422-024-01034-y",
        code_licence="none stated (not used)",
        weights_licence="none stated: ask the authors",
    )


FAMILY = Family(
    name="genecompass",
    own=FILES,
    verified=Verified(forward=True, end_to_end=True),  # no published vocabulary was at hand to compare tokens on
    checkpoints=tuple(_genecompass(name) for name in LAYERS),
)

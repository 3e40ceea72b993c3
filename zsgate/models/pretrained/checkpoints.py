"""Checkpoints: everything published that zsgate reads, by name, joined of what each family lists."""

from __future__ import annotations

from zsgate.models.families.gene2vec.checkpoints import FAMILY as GENE2VEC
from zsgate.models.families.genecompass.checkpoints import FAMILY as GENECOMPASS
from zsgate.models.families.geneformer.checkpoints import FAMILY as GENEFORMER
from zsgate.models.families.scbert.checkpoints import FAMILY as SCBERT
from zsgate.models.families.scfoundation.checkpoints import FAMILY as SCFOUNDATION
from zsgate.models.families.scgpt.checkpoints import FAMILY as SCGPT
from zsgate.models.families.scimilarity.checkpoints import FAMILY as SCIMILARITY
from zsgate.models.families.uce.checkpoints import FAMILY as UCE
from zsgate.models.pretrained.checkpoint import Checkpoint, Family

__all__ = ("CHECKPOINTS", "TABLE", "Checkpoint")

TABLE: tuple[Family, ...] = (SCGPT, GENEFORMER, SCIMILARITY, SCFOUNDATION, GENE2VEC, SCBERT, UCE, GENECOMPASS)
CHECKPOINTS: dict[str, Checkpoint] = {each.name: each for family in TABLE for each in family.checkpoints}


def family_of(name: str) -> Family | None:
    """Return the family of a published checkpoint or of weights of one's own, as ``--model`` names it, or None."""
    found = (family for family in TABLE if name == family.name or any(name == each.name for each in family.checkpoints))
    return next(found, None)

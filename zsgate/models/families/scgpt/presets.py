"""How scGPT's cells are prepared: by its authors, or by Kedzierska et al. (2023)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem
from zsgate.models.families.scgpt.tokens import PAD_VALUE, SPECIAL
from zsgate.models.pretrained.weights import read_names_and_values

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset


@dataclass(frozen=True)
class Preset:
    """A way to prepare cells.

    The paper also normalises and takes logarithms before binning, which changes no bin, permutes the genes of each
    cell, which changes nothing for a model without positions, and runs in half precision.

    Attributes
    ----------
    cls_value
        Value of the class token.
    init
        How the untrained twin's layers are drawn.
    chooser
        ``module:function`` that chooses genes; empty keeps every gene of the vocabulary. It is named and not imported,
        so that the fingerprint of a preset without it does not depend on the packages that it needs.
    """

    cls_value: int
    init: str
    chooser: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules that only this preset uses."""
        return (self.chooser.partition(":")[0],) if self.chooser else ()

    def choose_genes(self, dataset: Dataset, known: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Return which of the ``known`` genes the model is shown, bool (n_genes,)."""
        if not self.chooser:
            return known
        chosen: npt.NDArray[np.bool_] = resolve_name(self.chooser)(dataset, known)
        return chosen


PRESETS = {
    "official": Preset(cls_value=PAD_VALUE, init="independent"),
    "paper": Preset(cls_value=0, init="identical", chooser="zsgate.models.families.scgpt.paper_genes:choose_genes"),
}


def read_vocabulary(path: Path, n_rows: int) -> dict[str, int]:
    """Return ``{symbol or special token: id}``; special tokens that the file lacks are appended, as upstream does.

    Parameters
    ----------
    path
        A ``vocab.json``.
    n_rows
        Rows of the model's table of embeddings: where there is none for ``<eoc>``, which no cell uses, it is left out.

    Raises
    ------
    UsageProblem
        If the file is no vocabulary, or lacks a token that a row of a padded table may or may not be of.
    """
    found = read_names_and_values(path)
    vocabulary = {name: place for name, place in found.items() if type(place) is int}
    if len(vocabulary) < len(found):
        msg = f"{path} is not a vocabulary: a JSON object of gene symbols and their ids is expected"
        raise UsageProblem(msg)
    missing = [token for token in SPECIAL if token not in vocabulary]
    if missing == ["<eoc>"] and n_rows == len(vocabulary):
        missing = []
    for token in missing:
        vocabulary[token] = len(vocabulary)
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        msg = f"{path} does not number its {len(vocabulary):,} tokens 0, 1, 2, ..."
        raise UsageProblem(msg)
    if "<cls>" in missing and n_rows > len(vocabulary):
        msg = f"{path} lacks <cls>, and which row of the model's {n_rows:,} is meant cannot be told"
        raise UsageProblem(msg)
    return vocabulary

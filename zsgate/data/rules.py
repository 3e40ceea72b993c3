"""Rules: what a dataset cannot show, decided in one place and said in the report."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.verdict.interval import MIN_DONORS

FEW_CELLS = 10  # a label with fewer is judged on, as in the paper, but weighs little and is named


def table_of(dataset: Dataset) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Return (labels, cells by label and batch (n_labels, n_batches)); one column where no batches are known."""
    labels, label = np.unique(dataset.cell_types, return_inverse=True)
    if dataset.batches is None:
        return labels, np.bincount(label, minlength=len(labels))[:, None]
    batches, batch = np.unique(dataset.batches, return_inverse=True)
    flat = np.bincount(label * len(batches) + batch, minlength=len(labels) * len(batches))
    return labels, flat.reshape(len(labels), len(batches))


def no_batch_score(dataset: Dataset) -> str:
    """Return why batches cannot be scored, or an empty string.

    The batch score compares batches within a label, so some label needs cells of two batches.
    """
    if dataset.batches is None:
        return "no column of batches is named"
    _, table = table_of(dataset)
    if table.shape[1] < 2:
        return "the dataset has one batch, so there is nothing to mix"
    if ((table > 0).sum(axis=1) < 2).all():
        return "every cell type lies in one batch only, so batches cannot be told from cell types"
    return ""


def remarks(dataset: Dataset) -> list[str]:
    """Return what a reader must know of labels, batches and donors before trusting a score."""
    labels, table = table_of(dataset)
    said = []
    few = labels[table.sum(axis=1) < FEW_CELLS]
    if len(few):
        said.append(
            f"{_labels(few)} fewer than {FEW_CELLS} cells; every cell weighs the same, so they count for little"
        )
    alone = labels[(table > 0).sum(axis=1) < 2]
    if reason := no_batch_score(dataset):
        said.append(f"no batch score: {reason}")
    elif len(alone):
        said.append(f"{_labels(alone)} cells of one batch only: not part of the batch score")
    n_donors = 0 if dataset.donors is None else len(set(dataset.donors.tolist()))
    if dataset.scope == "donors" and n_donors < MIN_DONORS:
        known = "no column of donors is named" if dataset.donors is None else f"{n_donors} donors are known"
        said.append(
            f"{known}, {MIN_DONORS} are needed to speak for new donors: verdicts are inconclusive; scope = "
            '"cells" (--scope=cells) speaks for these donors only'
        )
    return said


def _labels(names: npt.NDArray[np.str_]) -> str:
    shown = ", ".join(names[:5].tolist()) + (", ..." if len(names) > 5 else "")
    return f"{len(names)} cell type{'s' if len(names) > 1 else ''} ({shown}) {'have' if len(names) > 1 else 'has'}"

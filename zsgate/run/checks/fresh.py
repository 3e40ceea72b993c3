"""Fresh rows: whether what is kept of a model whose code is not ours is still what the model gives.

A fingerprint that its author declares may forget the code, or whatever else decides its rows. So in every run few
cells are embedded anew and compared with the rows they had when something was kept; other rows are another model, of
which nothing is kept.
"""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import count

import numpy as np
import numpy.typing as npt

from zsgate.data.dataset import Dataset
from zsgate.models.adapter import Adapter, is_foreign
from zsgate.models.embedding import check_rows
from zsgate.run.checks.imported import rows_like
from zsgate.run.checks.stability import STEADY
from zsgate.run.ledger import Ledger
from zsgate.system.progress import waiting

CELLS = 16  # that are embedded in every run
KIND = "proof"  # where their rows are kept
Rows = npt.NDArray[np.float32]


def proof_of(model: Adapter, dataset: Dataset, ledger: Ledger) -> str | None:
    """Return what tells a model's rows of few cells from those of other code; None where it gives none.

    It is part of the keys under which is kept what the model makes of the dataset. Of a packaged model, whose
    fingerprint holds its code, and of one without a fingerprint, of which nothing is kept, it is empty.

    Parameters
    ----------
    model
        The model.
    dataset
        Of whose cells 16 are embedded, once in a run. Where nothing is to be made, as for a plan, the model is taken
        to be the one that was last seen.
    ledger
        Of the run.

    Raises
    ------
    Exception
        Whatever a model raises that says it embeds each cell by itself.
    """
    if not is_foreign(model) or model.fingerprint is None:
        return ""
    asked = (model.fingerprint, dataset.digest)
    if asked not in ledger.proofs:
        ledger.proofs[asked] = _last(*asked, ledger) if ledger.lasting.makes_nothing else _proof(model, dataset, ledger)
    return ledger.proofs[asked]


def _proof(model: Adapter, dataset: Dataset, ledger: Ledger) -> str | None:
    places = np.unique(np.linspace(0, dataset.n_cells - 1, CELLS).astype(np.intp))
    cells = dataset.subset(places)
    try:
        with waiting(f"{model.info.name}: embedding {len(places)} cells, to see whether kept rows are its own"):
            rows = _embedded(model, cells)
            if model.info.stochastic and not _same(_embedded(model, cells), rows):
                return None  # its rows prove nothing: another model's might be as far away
    except Exception:
        if model.info.independent_cells:
            raise
        return None  # what looks across cells may need more of them
    key, store = partial(_key, model.fingerprint, dataset.digest), ledger.lasting
    for number in count():
        (kept, *_), _ = store.arrays(KIND, key(number), lambda: ([rows_like(rows, store, key, _same)], {}))
        if _same(rows, kept):
            return hashlib.sha256(kept.tobytes()).hexdigest()
    raise AssertionError  # there is always another number


def _embedded(model: Adapter, cells: Dataset) -> Rows:
    return check_rows(model.embed(cells), source=model.info.name, n_cells=cells.n_cells)


def _same(rows: Rows, kept: Rows) -> bool:
    """Return whether rows are those that were kept, but for rounding."""
    if rows.shape != kept.shape:
        return False
    apart = float(np.median(np.linalg.norm(kept - np.roll(kept, 1, axis=0), axis=1)))
    return bool(np.linalg.norm(rows - kept, axis=1).max() <= STEADY * apart)


def _key(fingerprint: str | None, dataset: str, number: int) -> dict[str, object]:
    return {"fingerprint": fingerprint, "dataset": dataset, "number": number}


def _last(fingerprint: str, dataset: str, ledger: Ledger) -> str | None:
    """Return the proof that was kept last, or None."""
    found = None
    for number in count():
        key = _key(fingerprint, dataset, number)
        if not ledger.lasting.has(KIND, key):
            return found
        (kept, *_), _ = ledger.lasting.arrays(KIND, key, lambda: ([], {}))
        found = hashlib.sha256(kept.tobytes()).hexdigest()
    return found

"""Invariances: whether a candidate gives the same cells the same rows, in whatever form they are presented.

Hypothesis draws the ways: few, the same in every run, on few cells. A row may move as far as
:mod:`zsgate.run.checks.stability` lets it: who is in a batch, and in what order sums are made, changes the rounding,
and a model that does not keep its rows moves them about as far as two cells are apart.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zsgate.data.catalogue.sample import draw_within_donors
from zsgate.data.dataset import Dataset
from zsgate.errors import in_words, machine_fault
from zsgate.models.adapter import Adapter, is_foreign
from zsgate.models.embedding import check_rows
from zsgate.run.changed.forms import NUMBERS, Form, Presented, forms_for, other_numbers, with_clear_names
from zsgate.run.checks.stability import allowed, too_coarse
from zsgate.system.progress import waiting

Rows = npt.NDArray[np.float32]
CELLS, ACROSS = 16, 256  # that are presented again; more to a model that looks across cells and may need many
WAYS = 2  # of each form
EMBEDDED = 200  # cells, about, that all forms together take


class Moved(Exception):
    """A candidate does not give the same cells the same rows; in words, a sentence for each form."""


@dataclass(frozen=True, slots=True)
class Held:
    """A form in which rows stayed where they were.

    Attributes
    ----------
    check
        The form, in words.
    cells
        Number of cells presented, those of all ways together.
    moved, typical
        How far the farthest row moved, and the root mean square over all.
    apart
        Median distance between two cells.
    """

    check: str
    cells: int
    moved: float
    typical: float
    apart: float


class _Broken(Exception):
    """What tells Hypothesis that it has found what it looks for."""


def check(model: Adapter, dataset: Dataset) -> list[Held]:
    """Return how far rows moved in each form.

    Parameters
    ----------
    model
        The candidate; one that draws chance or trains on the cells is not asked.
    dataset
        Of whose cells few are taken.

    Raises
    ------
    Moved
        If a row moved too far in any form, or the model fails in it.
    Exception
        Whatever the model raises where the cells are presented as usual.
    """
    rows = draw_within_donors(dataset, CELLS if model.info.independent_cells else ACROSS)
    cells = with_clear_names(dataset if rows is None else dataset.subset(rows))
    with waiting(f"{model.info.name}: embedding {cells.n_cells} cells in other forms"):
        before = _before(model, cells)
        apart = _apart(before)
        looks = [_Look(model, form, cells, before, apart) for form in forms_for(model, cells)]
        held = [look.take() for look in looks]
    if broken := [look.broken for look in looks if look.broken]:
        raise Moved("; ".join(broken))
    return held


def _before(model: Adapter, cells: Dataset) -> Rows:
    """Return the rows of the cells as usual; where the model takes counts as integers only, say so."""
    try:
        return check_rows(model.embed(cells), source=model.info.name, n_cells=cells.n_cells)
    except Exception as error:
        if machine_fault(error) or not is_foreign(model):
            raise
        try:
            model.embed(other_numbers(cells, 0).dataset)
        except Exception:
            raise error from None
        msg = (
            f"{model.info.name} fails on counts held as float32 ({_in_words(error)}) and not on the same counts as "
            f"{NUMBERS[0]}; a run holds counts as float32"
        )
        raise Moved(msg) from error


def _apart(rows: Rows) -> float:
    """Return the median distance between two cells."""
    first, second = np.triu_indices(len(rows), 1)
    return float(np.median(np.linalg.norm(rows[first].astype(np.float64) - rows[second], axis=1)))


class _Look:
    """A look at the rows in one form.

    Parameters
    ----------
    model, form, cells
        Who is to embed which cells in which form.
    before
        Rows of the cells as they were.
    apart
        Median distance between two of them.

    Attributes
    ----------
    broken
        What is wrong, in a sentence; empty where nothing is.
    """

    def __init__(self, model: Adapter, form: Form, cells: Dataset, before: Rows, apart: float) -> None:
        self.model, self.form, self.cells, self.before, self.apart = model, form, cells, before, apart
        self.moves: list[npt.NDArray[np.float64]] = []
        self.broken = ""

    def take(self) -> Held:
        """Return how far rows moved in all ways that Hypothesis draws, up to the first in which one moved too far."""
        from hypothesis import HealthCheck, Phase, Verbosity, given, settings
        from hypothesis import strategies as st

        # every setting is stated, for a profile of the repository's own says others; a smaller example is not looked
        # for: that takes hundreds of calls
        @settings(
            max_examples=WAYS,
            derandomize=True,
            database=None,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
            verbosity=Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=False,
        )
        @given(st.integers(0, 2**32 - 1))
        def stays(number: int) -> None:
            if not self.broken:  # asked a second time, Hypothesis makes sure; we are
                self.broken = self._objection(self.form.of(self.cells, number))
            if self.broken:
                raise _Broken

        with suppress(_Broken):
            stays()
        moves = np.concatenate(self.moves) if self.moves else np.zeros(1)
        typical = float(np.sqrt((moves**2).mean()))
        return Held(f"presented {self.form.words}", len(moves), float(moves.max()), typical, self.apart)

    def _objection(self, shown: Presented) -> str:
        name, words = self.model.info.name, self.form.words + shown.detail
        try:
            after = check_rows(self.model.embed(shown.dataset), source=name, n_cells=shown.dataset.n_cells)
        except Exception as error:
            if machine_fault(error):
                raise
            return f"{name} embeds cells as they are and fails on the same ones {words}: {_in_words(error)}"
        before = self.before[shown.cells].astype(np.float64)
        if after.shape != before.shape:
            return f"{name} gives rows of {after.shape[1]} numbers {words}, and of {before.shape[1]} otherwise"
        moves = np.linalg.norm(after - before, axis=1)
        self.moves.append(moves)
        worst = int(moves.argmax())
        if moves[worst] <= allowed(self.before, self.apart):
            return ""
        return (
            f"{name} gives a cell another row {words}: {shown.dataset.cell_ids[worst]} moved by {moves[worst]:.3g} "
            f"where two cells are {self.apart:.3g} apart{too_coarse(moves[worst], self.before)}"
        )


def _in_words(error: Exception) -> str:
    return " ".join(in_words(error).split())


def objection(model: Adapter, who: str = "the candidate") -> str:
    """Return why a model cannot be asked, or an empty string."""
    if getattr(model, "fixed", False):
        return f"{who} is rows in a file, which cannot be had of cells in another form"
    if model.info.stochastic:
        return f"{who} draws chance, so the same cells need not have the same rows"
    if model.info.trains_on_target:
        return f"{who} trains on the cells, so it need not come to the same rows in another form of them"
    return ""

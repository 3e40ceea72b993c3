"""A run whose cells and embeddings are held in memory: the candidate and its rivals are keys of one AnnData."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from zsgate.data.annotations import Columns
from zsgate.data.catalogue.sample import drawn
from zsgate.data.dataset import Dataset
from zsgate.data.read import Source
from zsgate.models.precomputed.in_memory import HeldRows
from zsgate.run.datasets import CardOrFile
from zsgate.run.methods import TAKEN, Candidate, Method
from zsgate.run.reference import Reference
from zsgate.run.run import Run


def named(key: str) -> str:
    """Return what an embedding is called in a run: its key, unless a baseline is called so."""
    return f"{key}@obsm" if key in TAKEN else key


@dataclass(repr=False, kw_only=True)
class HeldRun(Run):
    """One run of the gate on cells in memory.

    Parameters
    ----------
    cells
        The cells as they were read; as many of them are judged on as the settings say.
    columns
        Where their label, batch and donor are from.
    rows
        The embedding that is judged.
    others
        Embeddings of the same cells that it is compared with.
    """

    cells: Dataset
    columns: Columns
    rows: HeldRows
    others: tuple[HeldRows, ...] = field(default=())

    def __post_init__(self) -> None:
        """Take the cells for read."""
        self._embedded[self.cells.name] = drawn(self.cells, self.recipe.embedded)

    @cached_property
    def sources(self) -> dict[str, CardOrFile]:
        """The one dataset, which is from no file."""
        return {self.cells.name: Source(name=self.cells.name, columns=self.columns, scope=self.cells.scope)}

    @cached_property
    def candidate(self) -> Candidate:
        """The embedding that is judged."""
        return Candidate(named(self.rows.key), self, model=self.rows)

    @cached_property
    def rivals(self) -> Mapping[str, Reference]:
        """The embeddings that it is compared with, and the earlier run, by name."""
        held = [Reference(named(each.key), self, model=each) for each in self.others]
        return {each.name: each for each in [*held, *([self.reference] if self.reference else [])]}

    def method(self, name: str) -> Method:
        """Return what a test compares the candidate with: a rival, or a baseline."""
        return self.rivals[name] if name in self.rivals else super().method(name)

"""Dataset: integer counts with labels, batches and donors, checked before anyone embeds them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.annotations import Strings, refuse_duplicates
from zsgate.data.counts import as_counts, check_counts, is_canonical, matrix_digest, was_checked
from zsgate.errors import UsageProblem

if TYPE_CHECKING:
    import anndata

    from zsgate.data.expression import Expression

MAX_UNITS = 50  # more donors than this are left out in groups
CELL_GROUPS = 20  # units of scope "cells"
SCOPES = ("donors", "cells")


@dataclass(frozen=True, repr=False, eq=False)
class Dataset:
    """Cells to judge a model on.

    Attributes
    ----------
    name
        Short name; it is part of every test's id.
    counts
        CSR matrix (n_cells, n_genes), float32 holding non-negative integers, sorted indices, no stored zeros;
        any other matrix of counts is made one. A large one lies on disk, mapped into memory
        (:mod:`zsgate.data.mapped`): take rows of it block by block, and never copy it whole.
    cell_ids
        Unique names of the cells, shape (n_cells,).
    cell_types
        Cell type of each cell, the label, shape (n_cells,).
    symbols
        Gene symbol of each column, shape (n_genes,); symbols may repeat only if there are Ensembl ids, which may not.
    ensembl
        Ensembl gene id of each column without version, unique; a gene without one has its symbol here. None
        where the file has none.
    batches
        Technical batch of each cell, shape (n_cells,), or None.
    donors
        Donor of each cell, shape (n_cells,), or None.
    scope
        ``"donors"``: verdicts speak for new donors. ``"cells"``: for these donors only.
    card
        Where it comes from, for the report: ``source``, ``licence``, ``citation``, and ``notes``, a list of sentences.
    drawn_from
        Names of all cells of the file that these were taken from, those included that were filtered out or not drawn;
        None where these are all. Embeddings may have rows of the others, too.
    expression
        What the file has in X beside the counts, not yet read, or None where there is nothing.
    number
        Type of number that an AnnData of it holds the counts as.
    """

    name: str
    counts: sp.csr_matrix
    cell_ids: Strings
    cell_types: Strings
    symbols: Strings
    ensembl: Strings | None = None
    batches: Strings | None = None
    donors: Strings | None = None
    scope: str = "donors"
    card: Mapping[str, object] = field(default_factory=dict)
    drawn_from: Strings | None = None
    expression: Expression | None = None
    number: str = "float32"

    def __post_init__(self) -> None:
        """Bring the counts into their form and refuse what breaks the contract."""
        if not is_canonical(self.counts):
            object.__setattr__(self, "counts", as_counts(self.counts))
        _check(self)

    def __repr__(self) -> str:
        """Return the name and the shape; pytest prints it beside a failure."""
        return f"<Dataset {self.name}: {self.n_cells} cells x {self.counts.shape[1]} genes>"

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(self.counts.shape[0])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences of the card on what was done to the cells and what is peculiar about them."""
        return tuple(cast("Sequence[str]", self.card.get("notes", ())))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of everything a model or baseline can see: counts, ids, genes, batches, labels, donors."""
        cells = (self.cell_ids, self.cell_types, self.batches, self.donors)
        return _digest_of(*cells, self.symbols, self.ensembl, np.array([matrix_digest(self.counts)]))

    @cached_property
    def cells_digest(self) -> str:
        """SHA-256 of the cells and of what metrics see of them: labels, batches, units."""
        units, unit = self.units
        return _digest_of(np.array([unit]), self.cell_ids, self.cell_types, self.batches, units)

    @cached_property
    def units(self) -> tuple[Strings | None, str]:
        """What a verdict leaves out: (unit of each cell or None, kind ``"donor"`` or ``"cells"``).

        Donors, in at most 50 groups; with ``scope="cells"`` 20 groups of cells, formed by a hash of the cells' names
        so that their order does not matter.
        """
        if self.scope == "cells":
            return _deal(self.cell_ids, CELL_GROUPS), "cells"
        if self.donors is None:
            return None, "donor"
        if len(np.unique(self.donors)) > MAX_UNITS:
            return _deal(self.donors, MAX_UNITS), "donor"
        return self.donors, "donor"

    def subset(self, rows: npt.NDArray[np.intp], name: str | None = None) -> Dataset:
        """Return the cells ``rows`` (positions), in that order, all genes kept."""

        def pick(values: Strings | None) -> Strings | None:
            return None if values is None else values[rows]

        return replace(
            self,
            name=name or self.name,
            counts=self.counts[rows],
            cell_ids=self.cell_ids[rows],
            cell_types=self.cell_types[rows],
            batches=pick(self.batches),
            donors=pick(self.donors),
            expression=None if self.expression is None else self.expression.subset(rows),
        )

    def with_genes(self, columns: npt.NDArray[np.intp]) -> Dataset:
        """Return the dataset with the genes ``columns`` (positions), all cells kept."""
        return replace(
            self,
            counts=self.counts[:, columns],
            symbols=self.symbols[columns],
            ensembl=None if self.ensembl is None else self.ensembl[columns],
        )

    def with_notes(self, *notes: str) -> Dataset:
        """Return the dataset with more notes behind those of its card."""
        return replace(self, card=add_notes(self.card, notes))

    def to_anndata(self, shown: sp.csr_matrix | None = None, *, batches: bool = False) -> anndata.AnnData:
        """Return a fresh AnnData: counts in X, ``var`` symbol, ensembl_id, and if asked for ``obs`` batch.

        Labels and donors are left out on purpose: a zero-shot model must not see them. Counts on disk stay there: what
        is written to X is private to this AnnData.

        Parameters
        ----------
        shown
            What to put into X instead of the counts, where some are hidden.
        batches
            Whether the model says that it needs the batches.
        """
        import anndata
        import pandas as pd

        from zsgate.data.mapped import private_copy

        obs = pd.DataFrame(index=pd.Index(self.cell_ids.astype(object)))
        if batches and self.batches is not None:
            obs["batch"] = pd.Categorical(self.batches.astype(object))
        index = self.symbols if self.ensembl is None else self.ensembl
        var = pd.DataFrame({"symbol": self.symbols.astype(object)}, index=pd.Index(index.astype(object)))
        if self.ensembl is not None:
            var["ensembl_id"] = self.ensembl.astype(object)
        counts = private_copy(self.counts) if shown is None else shown
        return anndata.AnnData(X=counts.astype(self.number, copy=False), obs=obs, var=var)


def add_notes(card: Mapping[str, object], notes: Sequence[str]) -> Mapping[str, object]:
    """Return the card of a dataset with more notes behind its own."""
    return {**card, "notes": [*cast("Sequence[str]", card.get("notes", ())), *notes]}


def effective_number(units: npt.NDArray[Any]) -> float:
    """Return how many units of equal size tell as much as these of unequal size: 1 / sum(share of the cells ** 2)."""
    sizes = np.unique(units, return_counts=True)[1]
    return float(1 / np.sum((sizes / sizes.sum()) ** 2))


def _digest_of(*columns: npt.NDArray[Any] | None) -> str:
    """Return the SHA-256 of columns of names or numbers; which column is missing or holds what makes a difference."""
    sha = hashlib.sha256()
    for column in columns:
        if column is None:
            sha.update(b"\2")
        elif column.dtype.kind == "U":
            sha.update("\0".join(column.tolist()).encode())
        else:
            sha.update(np.ascontiguousarray(column).data)
        sha.update(b"\1")
    return sha.hexdigest()


def _deal(names: Strings, n_groups: int) -> Strings:
    """Return a group for each distinct name, groups as equal in number of names as can be."""
    distinct = np.unique(names)
    order = sorted(distinct.tolist(), key=lambda name: hashlib.sha256(name.encode()).digest())
    group = {name: f"group {position % n_groups + 1:02d}" for position, name in enumerate(order)}
    return np.array([group[name] for name in names.tolist()])


def _check(dataset: Dataset) -> None:
    where = f"dataset {dataset.name!r}"
    if dataset.scope not in SCOPES:
        msg = f"{where}: scope must be one of {', '.join(SCOPES)}, not {dataset.scope!r}"
        raise UsageProblem(msg)
    n_cells, n_genes = dataset.counts.shape
    for what, names, expected in (
        ("cell names", dataset.cell_ids, n_cells),
        ("cell types", dataset.cell_types, n_cells),
        ("batches", dataset.batches, n_cells),
        ("donors", dataset.donors, n_cells),
        ("gene symbols", dataset.symbols, n_genes),
        ("Ensembl ids", dataset.ensembl, n_genes),
    ):
        if names is None:
            continue
        if names.dtype.kind != "U":
            msg = f"{where}: {what} must be an array of strings, not of {names.dtype}"
            raise UsageProblem(msg)
        if len(names) != expected:
            msg = f"{where}: {len(names)} {what} for a matrix of {n_cells} cells and {n_genes} genes"
            raise UsageProblem(msg)
    if not n_cells or not n_genes:
        msg = f"{where}: {n_cells} cells x {n_genes} genes leave nothing to embed"
        raise UsageProblem(msg)
    refuse_duplicates(where, "cell", dataset.cell_ids)
    refuse_duplicates(where, "gene", dataset.symbols if dataset.ensembl is None else dataset.ensembl)
    if not was_checked(dataset.counts):
        check_counts(where, dataset.counts)

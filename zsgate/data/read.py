"""From a file to a Dataset: where the counts, labels and gene names are, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from platformdirs import user_cache_path

from zsgate.data.annotations import gene_names
from zsgate.data.columns import Columns, column_of, labelled, listed, told_apart
from zsgate.data.counts import as_counts, check_counts, fault_of
from zsgate.data.dataset import Dataset, Strings
from zsgate.data.expression import Expression
from zsgate.data.file import Opened, identity_of, opened
from zsgate.data.mapped import prepared, rounded
from zsgate.data.matrix import Matrix
from zsgate.errors import UsageProblem

MIN_GENES = 10  # of the paper: cells with fewer detected genes are dropped
IN_MEMORY = 1 << 26  # stored numbers, 0.5 GB as values and columns; more stay on disk
MIN_CELLS = 10  # of the paper: genes seen in fewer cells are dropped


def read_h5ad(
    path: Path,
    name: str,
    columns: Columns,
    *,
    scope: str = "donors",
    card: Mapping[str, Any] | None = None,
    rounding: bool = False,
    cache: Path | None = None,
) -> Dataset:
    """Return the cells of an ``.h5ad`` file or ``.zarr`` store that have a label, filtered as the paper filters.

    Parameters
    ----------
    path
        The file.
    name
        Name of the dataset.
    columns
        Where label, batch, donor and counts are.
    scope
        ``"donors"`` or ``"cells"``.
    card
        Facts for the report.
    rounding
        Round fractional counts to the nearest integer instead of refusing them.
    cache
        Folder for the copies of counts that do not fit into memory; None takes the platform's.

    Raises
    ------
    UsageProblem
        If the file cannot be read, a column is missing, the counts are not counts or names repeat.
    """
    where = path.name
    with opened(path) as file:
        if columns.label is None:
            msg = f"{where}: which column holds the cell types? Say --label NAME; obs has {listed(file.obs.columns)}"
            raise UsageProblem(msg)
        obs = {
            role: column_of(file.obs, column, where, role)
            for role, column in (("label", columns.label), ("batch", columns.batch), ("donor", columns.donor))
            if column is not None
        }
        place, notes = find_counts(file, columns.counts, where, rounding)
        symbols, ensembl, remarks = gene_names(file.var(place))
        facts: dict[str, Any] = {
            "cell_ids": file.obs.index.to_numpy(dtype=str),
            "cell_types": obs["label"],
            "symbols": symbols,
            "ensembl": ensembl,
            "batches": obs.get("batch"),
            "donors": obs.get("donor"),
            "scope": scope,
            "expression": None,
            "card": {**(card or {}), "notes": [*(card or {}).get("notes", ()), *notes, *remarks]},
            "where": f"{where}: column {columns.label!r} for --label",
        }
        if place != "X" and "X" in file.places:
            facts["expression"] = Expression(path, np.arange(len(file.obs)))
        matrix = file.matrix(place)
        if matrix.n_stored <= IN_MEMORY:
            return assembled(name, counts=read_whole(matrix, place, where, rounding), **facts)
        cache = cache or user_cache_path("zsgate") / "prepared"
        return _from_disk(name, matrix, path, place, cache, rounding, facts)


def _from_disk(
    name: str, matrix: Matrix, path: Path, place: str, cache: Path, rounding: bool, facts: dict[str, Any]
) -> Dataset:
    """Return what :func:`assembled` would, with the counts on disk."""
    notes: list[str] = []
    columns = {"label": facts["cell_types"], "batch": facts["batches"], "donor": facts["donors"]}
    known = labelled({role: values for role, values in columns.items() if values is not None}, notes)
    made = prepared(
        matrix,
        known,
        where=f"{path.name} ({place})",
        key={**identity_of(path), "place": place},
        cache=cache,
        limits=(MIN_GENES, MIN_CELLS),
        rounding=rounding,
    )
    if made.n_poor:
        notes.append(f"{made.n_poor} cells with fewer than {MIN_GENES} detected genes are left out")
    where, card = facts.pop("where"), facts.pop("card")

    def at(role: str, places: npt.NDArray[np.intp]) -> Any:
        return None if facts[role] is None else facts[role][places]

    return Dataset(
        name=name,
        counts=made.counts,
        cell_ids=at("cell_ids", made.rows),
        cell_types=told_apart(at("cell_types", made.rows), where),
        symbols=at("symbols", made.genes),
        ensembl=at("ensembl", made.genes),
        batches=at("batches", made.rows),
        donors=at("donors", made.rows),
        scope=facts["scope"],
        expression=None if facts["expression"] is None else facts["expression"].subset(made.rows),
        card={**card, "notes": [*card["notes"], *notes]},
    )


def assembled(
    name: str,
    *,
    counts: Any,
    cell_types: Strings,
    card: Mapping[str, Any],
    batches: Strings | None = None,
    donors: Strings | None = None,
    expression: Expression | None = None,
    where: str = "",
    **rest: Any,
) -> Dataset:
    """Return a Dataset of the cells that have a label, filtered as the paper filters.

    Parameters
    ----------
    name, counts, cell_types, card, batches, donors, expression, rest
        As of :class:`zsgate.data.dataset.Dataset`; a label, batch or donor that is empty is not known.
    where
        Where the labels come from, for the message.

    Raises
    ------
    UsageProblem
        If no cell or gene is left, or the labels cannot be cell types.
    """
    counts = as_counts(counts)
    notes: list[str] = []
    columns = {"label": cell_types, "batch": batches, "donor": donors}
    known = labelled({role: values for role, values in columns.items() if values is not None}, notes)
    rows = np.flatnonzero(known & _rich_enough(counts, notes))
    where = where or f"dataset {name!r}: labels"
    if not len(rows):
        msg = f"{where.partition(':')[0]}: no cell has both a label and {MIN_GENES} detected genes"
        raise UsageProblem(msg)
    dataset = Dataset(
        name=name,
        counts=counts[rows],
        cell_types=told_apart(cell_types[rows], where),
        batches=None if batches is None else batches[rows],
        donors=None if donors is None else donors[rows],
        expression=None if expression is None else expression.subset(rows),
        card={**card, "notes": [*card.get("notes", ()), *notes]},
        **{**rest, "cell_ids": rest["cell_ids"][rows]},
    )
    return without_rare_genes(dataset)


def without_rare_genes(dataset: Dataset, min_cells: int = MIN_CELLS) -> Dataset:
    """Return the dataset with the genes seen in at least ``min_cells`` of its cells.

    Raises
    ------
    UsageProblem
        If there is no such gene.
    """
    seen = np.bincount(dataset.counts.indices, minlength=dataset.counts.shape[1])
    genes = np.flatnonzero(seen >= min_cells)
    if not len(genes):
        msg = f"dataset {dataset.name!r}: no gene is seen in {min_cells} of its {dataset.n_cells} cells"
        raise UsageProblem(msg)
    return dataset.with_genes(genes)


def find_counts(file: Opened, place: str | None, where: str, rounding: bool = False) -> tuple[str, list[str]]:
    """Return (place, remarks): where the user says the counts are, or the first place that seems to hold counts.

    A small matrix is looked at whole, a large one in samples.
    """
    places = file.places
    listed = ", ".join(places) or "no matrix"
    if place is not None:
        if place not in places:
            msg = f"{where}: no counts at {place!r}; the file has {listed}"
            raise UsageProblem(msg)
        return place, []
    faults = []
    for candidate in ("layers/counts", "raw", "X"):
        if candidate in places:
            fault = "" if rounding else fault_at(file, candidate)
            if not fault:
                return candidate, [f"counts taken from {candidate}"]
            faults.append(f"{candidate} holds {fault}")
    found = "; ".join(faults) or "neither layers/counts nor raw nor X is there"
    msg = f"{where}: no raw counts found: {found}; say with --counts where they are (the file has {listed})"
    raise UsageProblem(msg)


def fault_at(file: Opened, place: str) -> str:
    """Return what a matrix holds that no count is, or an empty string."""
    matrix = file.matrix(place)
    if matrix.n_stored <= IN_MEMORY:
        return fault_of(matrix.whole())
    return next(filter(None, map(fault_of, matrix.sample())), "")


def read_whole(matrix: Matrix, place: str, where: str, rounding: bool) -> sp.csr_matrix:
    """Return the counts of a matrix that fits into memory."""
    counts = matrix.whole()
    counts = rounded(counts) if rounding else counts
    check_counts(f"{where} ({place})", counts)
    return counts


def _rich_enough(counts: sp.csr_matrix, notes: list[str]) -> np.ndarray:
    rich = np.diff(counts.indptr) >= MIN_GENES
    if not rich.all():
        notes.append(f"{(~rich).sum()} cells with fewer than {MIN_GENES} detected genes are left out")
    return np.asarray(rich)

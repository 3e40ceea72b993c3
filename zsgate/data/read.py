"""From a file to a Dataset: where the counts, labels and gene names are, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from zsgate.data.annotations import Annotations, Columns, Strings, cell_columns, check_groups, check_labels
from zsgate.data.counts import as_counts, check_counts, fault_of, round_counts
from zsgate.data.dataset import Dataset, add_notes
from zsgate.data.expression import Expression
from zsgate.data.file.anndata_file import AnnDataFile, identity_of, open_file
from zsgate.data.genes import gene_names
from zsgate.data.mapped import Filter, map_counts
from zsgate.errors import UsageProblem
from zsgate.system.cache import find_folder

MIN_GENES = 10  # of the paper: cells with fewer detected genes are dropped
MIN_CELLS = 10  # of the paper: genes seen in fewer cells are dropped
IN_MEMORY = 1 << 26  # stored numbers, 0.5 GB as values and columns; more stay on disk


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the cells of a dataset come from, and what is known of them before they are read.

    Attributes
    ----------
    name
        Name of the dataset.
    path
        The ``.h5ad`` file or ``.zarr`` store; None where the cells are put together from several files.
    columns
        Where the file keeps label, batch, donor and counts.
    scope
        ``"donors"`` or ``"cells"``, as of :class:`zsgate.data.dataset.Dataset`.
    card
        Facts for the report.
    rounding
        Round fractional counts to the nearest integer instead of refusing them.
    """

    name: str
    path: Path | None = None
    columns: Columns = field(default_factory=Columns)
    scope: str = "donors"
    card: Mapping[str, object] = field(default_factory=dict)
    rounding: bool = False

    @property
    def where(self) -> str:
        """What messages call it."""
        return f"dataset {self.name!r}" if self.path is None else self.path.name

    @property
    def where_labels(self) -> str:
        """What messages call its labels."""
        return f"{self.where}: " + (f"column {self.columns.label!r} for --label" if self.columns.label else "labels")


def read_h5ad(
    path: Path,
    name: str,
    columns: Columns,
    *,
    scope: str = "donors",
    card: Mapping[str, object] | None = None,
    rounding: bool = False,
    cache: Path | None = None,
) -> Dataset:
    """Return the cells of an ``.h5ad`` file or ``.zarr`` store that have a label, filtered as the paper filters.

    Parameters
    ----------
    path, name, columns, scope, card, rounding
        As of :class:`Source`.
    cache
        Folder for the copies of counts that do not fit into memory; None takes the platform's.

    Raises
    ------
    UsageProblem
        If the file cannot be read, a column is missing or holds no groups of cells, the counts are not counts or names
        repeat.
    """
    source = Source(name=name, path=path, columns=columns, scope=scope, card=card or {}, rounding=rounding)
    return read_file(source, cache)


def read_file(source: Source, cache: Path | None = None) -> Dataset:
    """Return the cells of the file that ``source`` names; see :func:`read_h5ad`."""
    path, rounding = source.path, source.rounding
    assert path is not None
    with open_file(path) as file:
        cells, unnamed = cell_columns(file.obs, source.columns, source.where)
        place, notes = find_counts(file, source.columns.counts, path.name, rounding)
        symbols, ensembl, remarks = gene_names(file.var(place))
        annotations = Annotations(**cells, symbols=symbols, ensembl=ensembl)
        if others := file.n_other_features(place):
            notes = [*notes, f"{others} features that are no genes are left out"]
        source = replace(source, card=add_notes(source.card, [*notes, *remarks, *unnamed]))
        beside = place != "X" and "X" in file.places
        expression = Expression(path, np.arange(len(file.obs))) if beside else None
        matrix = file.matrix(place)
        if matrix.n_stored <= IN_MEMORY:
            counts = matrix.whole()
            counts = round_counts(counts) if rounding else counts
            check_counts(f"{path.name} ({place})", counts)
            return assemble(source, counts, annotations, expression)
        complete, notes = annotations.complete_cells()
        mapped = map_counts(
            matrix,
            complete,
            Filter(MIN_GENES, MIN_CELLS, rounding),
            where=f"{path.name} ({place})",
            key={**identity_of(path), "place": place},
            cache=cache or find_folder() / "prepared",
        )
    expression = expression and expression.subset(mapped.rows)
    kept = annotations.of(mapped.rows, mapped.genes)
    dataset = _dataset(source, mapped.counts, kept, expression, notes + _poor_cells(mapped.n_poor))
    return _remember_others(dataset, annotations.cell_ids)


def assemble(source: Source, counts: Any, annotations: Annotations, expression: Expression | None = None) -> Dataset:
    """Return a Dataset of the cells that have a label, filtered as the paper filters.

    Parameters
    ----------
    source
        Name, scope and card of the dataset.
    counts
        Any matrix of counts (n_cells, n_genes).
    annotations
        Of its cells and genes.
    expression
        What the file has beside the counts.

    Raises
    ------
    UsageProblem
        If no cell or gene is left, or labels, batches or donors cannot be such.
    """
    counts = as_counts(counts)
    complete, notes = annotations.complete_cells()
    rich = np.diff(counts.indptr) >= MIN_GENES
    rows = np.flatnonzero(complete & rich)
    if not len(rows):
        msg = f"{source.where}: no cell has both a label and {MIN_GENES} detected genes"
        raise UsageProblem(msg)
    expression = expression and expression.subset(rows)
    notes += _poor_cells(int((~rich).sum()))
    dataset = without_rare_genes(_dataset(source, counts[rows], annotations.of(rows), expression, notes))
    return _remember_others(dataset, annotations.cell_ids)


def _remember_others(dataset: Dataset, cell_ids: Strings) -> Dataset:
    """Return the dataset with the names of all cells of its file, where some of them are left out."""
    return dataset if len(cell_ids) == dataset.n_cells else replace(dataset, drawn_from=cell_ids)


def _dataset(
    source: Source, counts: Any, annotations: Annotations, expression: Expression | None, notes: list[str]
) -> Dataset:
    check_labels(annotations.cell_types, source.where_labels)
    for role, values in (("batch", annotations.batches), ("donor", annotations.donors)):
        if values is not None:
            check_groups(values, source.where, role, getattr(source.columns, role))
    return Dataset(
        name=source.name,
        counts=counts,
        cell_ids=annotations.cell_ids,
        cell_types=annotations.cell_types,
        symbols=annotations.symbols,
        ensembl=annotations.ensembl,
        batches=annotations.batches,
        donors=annotations.donors,
        scope=source.scope,
        card=add_notes(source.card, notes),
        expression=expression,
    )


def _poor_cells(n_poor: int) -> list[str]:
    """Return the remark on cells that are left out, if any are."""
    return [f"{n_poor} cells with fewer than {MIN_GENES} detected genes are left out"] if n_poor else []


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


def find_counts(file: AnnDataFile, place: str | None, where: str, rounding: bool = False) -> tuple[str, list[str]]:
    """Return (place, remarks): where the user says the counts are, or the first place that seems to hold counts.

    A small matrix is looked at whole, a large one in samples.

    Raises
    ------
    UsageProblem
        If there is no matrix at ``place``, or, where it is None, no matrix that seems to hold counts.
    """
    places = file.places
    listed = ", ".join(places) or "no matrix"
    if place is not None:
        if place not in places:
            msg = f"{where}: no counts at {place!r}; the file has {listed}"
            raise UsageProblem(msg)
        return place, []
    faults = []
    inside = [each for each in places if each.startswith("layers/counts/")]  # a slash in the layer's name
    for candidate in ("layers/counts", *inside, "raw", "X"):
        if candidate in places:
            fault = "" if rounding else fault_at(file, candidate)
            if not fault:
                return candidate, [f"counts taken from {candidate}"]
            faults.append(f"{candidate} holds {fault}")
    found = "; ".join(faults) or "neither layers/counts nor raw nor X is there"
    msg = f"{where}: no raw counts found: {found}; say with --counts where they are (the file has {listed})"
    raise UsageProblem(msg)


def fault_at(file: AnnDataFile, place: str) -> str:
    """Return what a matrix holds that no count is, or an empty string; of a large matrix, samples are looked at."""
    matrix = file.matrix(place)
    if matrix.n_stored <= IN_MEMORY:
        return fault_of(matrix.whole())
    return next(filter(None, map(fault_of, matrix.sample())), "")

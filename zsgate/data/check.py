"""Check: what a file of cells holds and what is wrong with it; what a dataset cannot show."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zsgate.data.annotations import Columns, Strings, check_groups, column_of
from zsgate.data.dataset import Dataset
from zsgate.data.file.anndata_file import AnnDataFile, open_file
from zsgate.data.file.format import refuse_other_formats
from zsgate.data.genes import gene_names
from zsgate.data.read import IN_MEMORY, fault_at, find_counts, read_h5ad
from zsgate.errors import MachineFailed, UsageProblem, sentence
from zsgate.verdict.interval import MIN_DONORS

if TYPE_CHECKING:
    from zsgate.data.file.table import Table

FEW_CELLS = 10  # a label with fewer is judged on, as in the paper, but weighs little and is named
# names that labs give these columns, likely ones first
USUAL = {
    "label": ("cell_type", "celltype", "cell_ontology_class", "label", "labels", "annotation", "cluster", "louvain"),
    "batch": ("batch", "sample", "sample_id", "library", "study", "dataset", "tech", "assay", "method", "chemistry"),
    "donor": ("donor", "donor_id", "patient", "patient_id", "individual", "subject"),
}


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a file holds and whether a model can be judged on it.

    Attributes
    ----------
    lines
        What the file holds, a fact a line.
    problems
        What keeps it from being judged on; empty where nothing does.
    commands
        What to type to judge on it: each of the embeddings that it holds, or a model where there is none.
    columns
        The columns that were named or guessed.
    embeddings
        Keys of ``obsm``.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    commands: tuple[str, ...]
    columns: Columns
    embeddings: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether it can be judged on."""
        return not self.problems

    def __str__(self) -> str:
        """Return it as a terminal shows it."""
        faults = [f"wrong: {problem}" for problem in self.problems]
        return "\n".join([*self.lines, *faults, *(f"type: {command}" for command in self.commands)])


def check_file(path: Path, columns: Columns) -> Checkup:
    """Return what a file holds; columns that are not named are guessed from their names, and said to be guesses.

    A file whose counts fit into memory is read whole; of a larger one the tables and a sample are read.

    Raises
    ------
    UsageProblem
        If there is no such file, or it is of a format that is not read. A damaged one has a problem.
    """
    refuse_other_formats(path)
    lines: list[str] = []
    problems: list[str] = []
    found, small, keys = columns, False, tuple[str, ...]()
    try:
        with open_file(path) as file:
            found = _describe_columns(file, columns, path.name, lines, problems)
            small = _describe_genes(file, columns.counts, path.name, lines, problems)
            keys = tuple(file.embeddings)
            lines += [f"embeddings: {', '.join(keys)}"] if keys else []
        if small and not problems:
            dataset = read_h5ad(path, path.stem, found)
            lines.append(f"judged on: {dataset.n_cells:,} cells x {dataset.counts.shape[1]:,} genes")
            lines += [f"  {note}" for note in [*dataset.notes, *_binary(dataset), *remarks(dataset)]]
    except MachineFailed:  # nothing is wrong with the file
        raise
    except UsageProblem as problem:
        problems.append(str(problem))
    models = [f"{path}#{key}" for key in keys if path.suffix.lower() == ".h5ad"] or ["NAME"]
    commands = () if problems else tuple(_command(path, found, model) for model in models)
    shown, wrong = (tuple(map(sentence, each)) for each in (lines, problems))  # names in a file may have line breaks
    return Checkup(shown, wrong, commands, found, keys)


def _describe_columns(
    file: AnnDataFile, columns: Columns, where: str, lines: list[str], problems: list[str]
) -> Columns:
    """Add lines on cells, matrices and columns, and what is wrong with them; return the columns, named or guessed."""
    lines.append(f"{where}: {len(file.obs):,} cells")
    lines += [f"  {place}: {_matrix_line(file, place)}" for place in file.places]
    guessed = {role: getattr(columns, role) or _guess(file.obs, role) for role in USUAL}
    for role, column in guessed.items():
        lines.append(_column_line(file.obs, role, column, getattr(columns, role) is None, where, problems))
    if guessed["label"] is None:
        problems.append(f"no column of cell types; name it with --label, obs has {', '.join(file.obs.columns)}")
    return replace(columns, label=guessed["label"], batch=guessed["batch"], donor=guessed["donor"])


def _describe_genes(file: AnnDataFile, counts: str | None, where: str, lines: list[str], problems: list[str]) -> bool:
    """Add a line on counts and genes, or what is wrong with them; return whether the counts fit into memory."""
    place = _counts_place(file, counts, where, problems)
    if place is None:
        return False
    symbols, ensembl, notes = gene_names(file.var(place))
    shown = f"{symbols[0]}, {symbols[-1]}, ..." if len(symbols) else "none"
    lines.append(f"counts: {place}; genes: {shown}; {_ids(ensembl)}")
    lines += [f"  {note}" for note in notes]
    return file.matrix(place).n_stored <= IN_MEMORY


def _matrix_line(file: AnnDataFile, place: str) -> str:
    try:
        matrix = file.matrix(place)
        fault = fault_at(file, place)
    except UsageProblem as problem:
        return f"no matrix ({problem})"
    looked = "" if matrix.n_stored <= IN_MEMORY else " in a sample"
    shape = f"{matrix.shape[0]:,} x {matrix.shape[1]:,}, {matrix.form}, {matrix.n_stored:,} numbers"
    return f"{shape}; {f'holds {fault}' if fault else 'counts'}{looked}"


def _guess(obs: Table, role: str) -> str | None:
    by_name = {name.lower(): name for name in obs.columns}
    return next((by_name[name] for name in USUAL[role] if name in by_name), None)


def _column_line(obs: Table, role: str, column: str | None, guess: bool, where: str, problems: list[str]) -> str:
    if column is None:
        return f"{role}: no column found; name it with --{role}"
    try:
        values = column_of(obs, column, where, role)
        if role != "label":
            check_groups(values, where, role, column)
    except UsageProblem as problem:
        problems.append(str(problem))
        return f"{role}: {column}"
    return f"{role}: {column}{' (a guess)' if guess else ''}, {_spread(values)}"


def _spread(values: Strings) -> str:
    names, sizes = np.unique(values[values != ""], return_counts=True)
    shown = ", ".join(names[np.argsort(-sizes, kind="stable")][:4].tolist())
    missing = f", missing in {(values == '').sum():,} cells" if (values == "").any() else ""
    return f"{len(names)} values ({shown}{', ...' if len(names) > 4 else ''}){missing}"


def _counts_place(file: AnnDataFile, place: str | None, where: str, problems: list[str]) -> str | None:
    try:
        found, _ = find_counts(file, place, where)
        fault = fault_at(file, found) if place is not None else ""
    except UsageProblem as problem:
        problems.append(str(problem))
        return None
    if fault:
        problems.append(f"{where}: {found} holds {fault}; raw counts are needed")
        return None
    return found


def _binary(dataset: Dataset) -> list[str]:
    return ["no count is above 1: they look binarised"] if dataset.counts.data.max() <= 1 else []


def _ids(ensembl: Strings | None) -> str:
    return "no Ensembl ids" if ensembl is None else "with Ensembl ids"


def _command(path: Path, columns: Columns, model: str) -> str:
    options = [f"--{role}={value}" for role in (*USUAL, "counts") if (value := getattr(columns, role)) is not None]
    return shlex.join(["pytest", f"--model={model}", f"--datasets={path}", *options])


def _label_table(dataset: Dataset) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Return (labels, number of cells (n_labels, n_batches)); one column where no batches are known."""
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
    _, table = _label_table(dataset)
    if table.shape[1] < 2:
        return "the dataset has one batch, so there is nothing to mix"
    if ((table > 0).sum(axis=1) < 2).all():
        return "every cell type lies in one batch only, so batches cannot be told from cell types"
    return ""


def remarks(dataset: Dataset) -> list[str]:
    """Return what a reader must know of labels, batches and donors before trusting a score, a sentence each."""
    labels, table = _label_table(dataset)
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

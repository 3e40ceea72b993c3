"""Checkup: what a file of cells holds, what is wrong with it, and what to type to judge on it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from zsgate.data.annotations import gene_names
from zsgate.data.columns import Columns, column_of
from zsgate.data.dataset import Dataset, Strings
from zsgate.data.file import Opened, opened
from zsgate.data.read import IN_MEMORY, fault_at, find_counts, read_h5ad
from zsgate.data.rules import remarks
from zsgate.errors import UsageProblem

# names that labs give these columns, likely ones first
USUAL = {
    "label": ("cell_type", "celltype", "cell_ontology_class", "label", "labels", "annotation", "cluster", "louvain"),
    "batch": ("batch", "sample", "sample_id", "library", "study", "dataset", "tech", "assay", "method", "chemistry"),
    "donor": ("donor", "donor_id", "patient", "patient_id", "individual", "subject"),
}


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found.

    Attributes
    ----------
    lines
        What the file holds, a fact a line.
    problems
        What keeps it from being judged on; empty where nothing does.
    command
        What to type, or None.
    columns
        What was named or guessed.
    """

    lines: tuple[str, ...]
    problems: tuple[str, ...]
    command: str | None
    columns: Columns

    @property
    def usable(self) -> bool:
        """Whether it can be judged on."""
        return not self.problems

    def __str__(self) -> str:
        """Return it as a terminal shows it."""
        faults = [f"wrong: {problem}" for problem in self.problems]
        return "\n".join([*self.lines, *faults, *([f"type: {self.command}"] if self.command else [])])


def checkup(path: Path, columns: Columns) -> Checkup:
    """Return what a file holds; columns that are not named are guessed from their names, and said to be guesses.

    A file whose counts fit into memory is read whole; of a larger one the tables and a sample are read.

    Raises
    ------
    UsageProblem
        If the file cannot be opened at all.
    """
    with opened(path) as file:
        lines = [f"{path.name}: {len(file.obs):,} cells"]
        lines += [f"  {place}: {_matrix_line(file, place)}" for place in file.places]
        problems: list[str] = []
        guessed = {role: getattr(columns, role) or _guess(file.obs, role) for role in USUAL}
        for role, column in guessed.items():
            lines.append(_column_line(file.obs, role, column, getattr(columns, role) is None, path.name, problems))
        if guessed["label"] is None:
            problems.append(f"no column of cell types; name it with --label, obs has {', '.join(map(str, file.obs))}")
        place = _counts_place(file, columns.counts, path.name, problems)
        small = place is not None and file.matrix(place).n_stored <= IN_MEMORY
        if place is not None:
            symbols, ensembl, notes = gene_names(file.var(place))
            lines.append(f"counts: {place}; genes: {symbols[0]}, {symbols[-1]}, ...; {_ids(ensembl)}")
            lines += [f"  {note}" for note in notes]
    found = Columns(**guessed, counts=columns.counts)
    if not problems and small:
        try:
            dataset = read_h5ad(path, path.stem, found)
        except UsageProblem as problem:
            problems.append(str(problem))
        else:
            lines.append(f"judged on: {dataset.n_cells:,} cells x {dataset.counts.shape[1]:,} genes")
            lines += [f"  {note}" for note in [*dataset.card["notes"], *_binary(dataset), *remarks(dataset)]]
    return Checkup(tuple(lines), tuple(problems), None if problems else _command(path, found), found)


def _matrix_line(file: Opened, place: str) -> str:
    try:
        matrix = file.matrix(place)
        fault = fault_at(file, place)
    except UsageProblem as problem:
        return f"no matrix ({problem})"
    looked = "" if matrix.n_stored <= IN_MEMORY else " in a sample"
    shape = f"{matrix.shape[0]:,} x {matrix.shape[1]:,}, {matrix.form}, {matrix.n_stored:,} numbers"
    return f"{shape}; {f'holds {fault}' if fault else 'counts'}{looked}"


def _guess(obs: pd.DataFrame, role: str) -> str | None:
    by_name = {str(name).lower(): str(name) for name in obs.columns}
    return next((by_name[name] for name in USUAL[role] if name in by_name), None)


def _column_line(obs: pd.DataFrame, role: str, column: str | None, guess: bool, where: str, problems: list[str]) -> str:
    if column is None:
        return f"{role}: no column found; name it with --{role}"
    try:
        values = column_of(obs, column, where, role)
    except UsageProblem as problem:
        problems.append(str(problem))
        return f"{role}: {column}"
    return f"{role}: {column}{' (a guess)' if guess else ''}, {_spread(values)}"


def _spread(values: Strings) -> str:
    names, sizes = np.unique(values[values != ""], return_counts=True)
    shown = ", ".join(names[np.argsort(-sizes, kind="stable")][:4].tolist())
    missing = f", missing in {(values == '').sum():,} cells" if (values == "").any() else ""
    return f"{len(names)} values ({shown}{', ...' if len(names) > 4 else ''}){missing}"


def _counts_place(file: Opened, place: str | None, where: str, problems: list[str]) -> str | None:
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


def _command(path: Path, columns: Columns) -> str:
    options = [f"--{role}={value}" for role in (*USUAL, "counts") if (value := getattr(columns, role)) is not None]
    return shlex.join(["pytest", "--model=NAME", f"--datasets={path}", *options])

"""Corpus: from the files that a model was pretrained on to a filter of their cells' fingerprints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zsgate.data.annotations import gene_names
from zsgate.data.counts import check_counts
from zsgate.data.file import opened
from zsgate.data.leakage.fingerprints import PARTS, Bloom, Hashes, fingerprints, hashed
from zsgate.data.mapped import transposed
from zsgate.data.read import find_counts
from zsgate.system.progress import steps


def filter_of(paths: Sequence[Path], place: str | None, rate: float) -> tuple[Bloom, int]:
    """Return (filter of the cells of the files, number of cells); a file is read block by block.

    Every cell is entered under the names of its genes that the file has: symbols, Ensembl ids, or both.

    Raises
    ------
    UsageProblem
        If a file cannot be read or holds no counts.
    """
    n_cells, n_marks = 0, 0
    for path in paths:
        with opened(path) as file:
            found, _ = find_counts(file, place, path.name)
            n_cells += len(file.obs)
            n_marks += len(file.obs) * PARTS * (2 if gene_names(file.var(found))[1] is not None else 1)
    bloom = Bloom(n_marks, rate)
    with steps("fingerprints", n_cells) as advance:
        for path in paths:
            for n_rows, marks in _marks(path, place):
                bloom.add(marks)
                advance(n_rows)
    return bloom, n_cells


def _marks(path: Path, place: str | None) -> Iterator[tuple[int, Hashes]]:
    """Yield (number of cells, their fingerprints under every naming) block by block."""
    with opened(path) as file:
        found, _ = find_counts(file, place, path.name)
        symbols, ensembl, _ = gene_names(file.var(found))
        namings = [hashed(names) for names in (symbols, ensembl) if names is not None]
        matrix = file.matrix(found)
        matrix = transposed(matrix) if matrix.form == "csc" else matrix
        for _, counts in matrix.blocks():
            check_counts(f"{path.name} ({found})", counts)
            for number, genes in enumerate(namings):
                marks, known = fingerprints(counts, genes)
                yield (0 if number else counts.shape[0]), marks[known]

"""Corpus: from the files that a model was pretrained on to a filter of the fingerprints of their cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from zsgate.data.counts import check_counts
from zsgate.data.file.anndata_file import open_file
from zsgate.data.file.matrix import by_rows
from zsgate.data.genes import gene_names
from zsgate.data.leakage.fingerprints import PARTS, Bloom, Hashes, fingerprints, hashed
from zsgate.data.read import find_counts
from zsgate.system.progress import steps


def build_filter(paths: Sequence[Path], place: str | None, rate: float) -> tuple[Bloom, int]:
    """Return (filter of the cells of the files, number of cells); a file is read block by block.

    Every cell is entered under the names that the file has for its genes: symbols, Ensembl ids, or both.

    Parameters
    ----------
    paths
        ``.h5ad`` files or ``.zarr`` stores.
    place
        Where they keep counts, as of :class:`zsgate.data.annotations.Columns`; None looks for them.
    rate
        Wanted chance that a fingerprint that was never added is found.

    Raises
    ------
    UsageProblem
        If a file cannot be read or holds no counts.
    """
    n_cells, n_marks = 0, 0
    for path in paths:
        with open_file(path) as file:
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
    with open_file(path) as file:
        found, _ = find_counts(file, place, path.name)
        symbols, ensembl, _ = gene_names(file.var(found))
        namings = [hashed(names) for names in (symbols, ensembl) if names is not None]
        for _, counts in by_rows(file.matrix(found)).blocks():
            check_counts(f"{path.name} ({found})", counts)
            for number, genes in enumerate(namings):
                marks, known = fingerprints(counts, genes)
                yield (0 if number else counts.shape[0]), marks[known]

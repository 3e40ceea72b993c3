"""In memory: the cells of an AnnData that lies in no file, read by the reader of files.

What a run needs of it is written to a file in a folder of the caller's, and read from there like anybody's: there is
one reader, so the same cells have the same counts, labels and digests, and get the same scores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from zsgate.data.annotations import Columns, refuse_duplicates, strings
from zsgate.data.dataset import Dataset
from zsgate.data.file.boundary import boundary
from zsgate.data.genes import columns_of_genes
from zsgate.data.read import Source, read_file
from zsgate.errors import MachineFailed, UsageProblem, nearest

if TYPE_CHECKING:
    import anndata
    import pandas as pd

COUNTS, X = "layers/counts", "X"
ROLES = ("label", "batch", "donor")
# what the reader says of the options of a command line, in the words of Python's arguments
OPTIONS = {**{f"--{role}": f"{role}_key" for role in ROLES}, "--counts layers/NAME, raw or X": "layer"}
OPTIONS |= {"--counts": "layer", "--scope=cells": 'scope="cells"'}
SPELT = re.compile("|".join(map(re.escape, OPTIONS)))


def read_anndata(adata: anndata.AnnData, columns: Columns, folder: Path, name: str, scope: str = "donors") -> Dataset:
    """Return the cells of an AnnData that have a label, as a run reads those of a file; the AnnData is left alone.

    Parameters
    ----------
    adata
        The cells, with counts in a layer, ``raw`` or ``X``.
    columns
        Where it keeps label, batch, donor and counts.
    folder
        Where it is written, and where counts too large for memory stay: it must be there as long as the dataset.
    name
        Of the dataset.
    scope
        As of :class:`zsgate.data.dataset.Dataset`.

    Raises
    ------
    UsageProblem
        In one sentence, as :func:`zsgate.data.read.read_file`, and if two cells have one name.
    """
    for column in _named(columns):
        _refuse_unknown("column", column, adata.obs.columns, name)
    refuse_duplicates(name, "cell", adata.obs_names.to_numpy(dtype=str))
    path = folder / f"{name}.h5ad"
    try:
        _write(adata, columns, path, name)
        card = {"source": "an AnnData in memory"}
        return read_file(Source(name=name, path=path, columns=columns, scope=scope, card=card), folder)
    except MachineFailed:
        raise
    except UsageProblem as problem:
        said = str(problem).replace(str(path), name).replace(path.name, name)
        raise UsageProblem(SPELT.sub(lambda found: OPTIONS[found[0]], said)) from None


def _named(columns: Columns) -> list[str]:
    """Return the columns of ``obs`` that are needed; ``A+B`` are two."""
    return [part for role in ROLES if (named := getattr(columns, role)) for part in named.split("+")]


def _refuse_unknown(what: str, value: str, known: Iterable[Any], name: str) -> None:
    names = list(map(str, known))
    if value not in names:
        near = nearest(value, names, cutoff=0.6)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(names[:12]) or 'none'}"
        msg = f"{name}: no {what} {value!r}; {hint}"
        raise UsageProblem(msg)


def _write(adata: anndata.AnnData, columns: Columns, path: Path, name: str) -> None:
    """Write the columns of cells and genes and the matrices that may hold the counts."""
    import h5py
    from anndata.io import write_elem

    wanted = columns.counts
    if wanted is not None and wanted not in (X, "raw"):
        _refuse_unknown("layer", wanted.removeprefix("layers/"), adata.layers, name)
    layers = [f"layers/{each}" for each in adata.layers]
    inside = [each for each in layers if each.startswith(f"{COUNTS}/")]
    places = [COUNTS, *inside, "raw", X] if wanted is None else [wanted]
    with boundary(f"{name}: it cannot be written for reading"), h5py.File(path, "w") as root:
        obs = adata.obs[list(dict.fromkeys(_named(columns)))]
        write_elem(root, "obs", _plain(obs))
        write_elem(root, "var", _plain(adata.var[columns_of_genes(list(map(str, adata.var.columns)))]))
        if "raw" in places and adata.raw is not None:
            write_elem(root, "raw/X", _plain_matrix(adata.raw.X))
            var = adata.raw.var
            write_elem(root, "raw/var", _plain(var[columns_of_genes(list(map(str, var.columns)))]))
        for place in places:
            if place in layers:
                write_elem(root, place, _plain_matrix(adata.layers[place.removeprefix("layers/")]))
        if X in places and adata.X is not None:
            write_elem(root, X, _plain_matrix(adata.X))


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns every version of anndata writes: numbers as they are, words as categories."""
    import pandas as pd

    found = {str(name): _column(table[name]) for name in table}
    plain = pd.DataFrame(found, index=table.index)
    plain.index = pd.Index(table.index.to_numpy(dtype=str).astype(object))
    return plain


def _column(values: pd.Series) -> pd.Series:
    import pandas as pd

    if values.dtype.kind in "biuf":
        return values
    return pd.Series(pd.Categorical(strings(values).astype(object)), index=values.index)


def _plain_matrix(matrix: Any) -> Any:
    """Return a matrix without the wrapper that a view of an AnnData puts around it."""
    if sp.issparse(matrix):
        kind = {"csr": sp.csr_matrix, "csc": sp.csc_matrix}.get(matrix.format, sp.csr_matrix)
        return kind(matrix)
    return np.asarray(matrix) if isinstance(matrix, np.ndarray) else matrix


def counts_at(columns: Columns, layer: str | None) -> Columns:
    """Return the columns with the counts in a layer of that name, in ``"X"`` or in ``"raw"``; None looks for them."""
    return replace(columns, counts=layer if layer in (None, X, "raw") else f"layers/{layer}")

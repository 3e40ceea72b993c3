"""The file of cells that a model is given: counts, genes and names, and nothing else that is known of the cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.data.expression import Expression
from zsgate.data.mapped import place_of
from zsgate.models.reconstruction.hiding import hide
from zsgate.models.worker.zsgate_worker import Cells
from zsgate.system.arrays import make_sure_of_room
from zsgate.system.files import replaced_whole

if TYPE_CHECKING:
    import h5py

EMPTY = ("layers", "obsm", "obsp", "uns", "varm", "varp")  # groups that every AnnData has
HEADERS, EACH = 1 << 18, 24  # bytes of a file for itself, and at most for a name beside its text
NOT_GIVEN = "not given"  # as the type of cells in a process that has no labels


def write_cells(
    dataset: Dataset,
    path: Path,
    *,
    batches: bool = False,
    local: bool = False,
    expression: bool = False,
    hidden: tuple[float, int] | None = None,
) -> None:
    """Write cells as an ``.h5ad`` file, whose arrays can be mapped.

    Parameters
    ----------
    dataset
        The cells.
    path
        Of the file.
    batches
        Whether the batches are written as well.
    local
        Whether it is for a process of this machine and this interpreter: counts on disk are then referred to and not
        copied.
    expression
        Whether it is told where the dataset's file has X beside the counts, for a packaged model that reads it.
    hidden
        (Share of each cell's counts to hide, seed); None shows all.

    Raises
    ------
    MachineFailed
        If the disk has no room for it.
    """
    import h5py

    counts, mask = (dataset.counts, None) if hidden is None else hide(dataset, *hidden)
    folder = place_of(counts) if local and mask is None and dataset.number == "float32" else None
    make_sure_of_room(path, most_bytes(dataset, copied=folder is None, hidden=mask is not None))
    with replaced_whole(path) as part, h5py.File(part, "w", libver="latest") as file:
        _encode(file, "anndata", "0.1.0")
        for name in EMPTY:
            _encode(file.create_group(name), "dict", "0.1.0")
        _write_matrix(file.create_group("X"), counts, dataset.number, folder)
        if mask is not None:
            _write_matrix(file["layers"].create_group("hidden"), mask, "bool", None)
        obs = {"batch": dataset.batches} if batches and dataset.batches is not None else {}
        _write_frame(file.create_group("obs"), dataset.cell_ids, obs)
        names = {"symbol": dataset.symbols}
        if dataset.ensembl is not None:
            names["ensembl_id"] = dataset.ensembl
        _write_frame(file.create_group("var"), dataset.symbols if dataset.ensembl is None else dataset.ensembl, names)
        if expression and dataset.expression is not None:
            _encode(file["uns"].create_group("expression"), "dict", "0.1.0")
            file["uns/expression/path"] = str(dataset.expression.path)
            file["uns/expression/rows"] = dataset.expression.rows


def read_cells(cells: Cells, name: str) -> Dataset:
    """Return cells of a file that :func:`write_cells` wrote as a dataset, their counts mapped; there are no labels."""
    import h5py

    counts = sp.csr_matrix((cells.data, cells.indices, cells.indptr), shape=cells.shape, copy=False)
    number, counts.data = counts.data.dtype.name, counts.data.astype(np.float32, copy=False)
    counts.has_sorted_indices = counts.has_canonical_format = True  # as those of a dataset are
    with h5py.File(cells.path, "r") as file:
        found = file["uns"].get("expression")
        path, rows = (None, None) if found is None else (found["path"].asstr()[()], found["rows"][:])
    here = slice(cells.start, cells.start + cells.shape[0])
    expression = None if path is None or rows is None else Expression(Path(path), rows[here])
    return Dataset(
        name=name,
        counts=counts,
        cell_ids=_strings(cells.ids),
        cell_types=np.full(cells.shape[0], NOT_GIVEN),
        symbols=_strings(cells.symbols),
        ensembl=None if cells.ensembl_ids is None else _strings(cells.ensembl_ids),
        batches=None if cells.batches is None else _strings(cells.batches),
        expression=expression,
        number=number,
    )


def _strings(names: npt.NDArray[Any]) -> npt.NDArray[np.str_]:
    return names.astype(str)


def _encode(group: h5py.Group, kind: str, version: str) -> None:
    group.attrs["encoding-type"], group.attrs["encoding-version"] = kind, version


def most_bytes(dataset: Dataset, *, copied: bool, hidden: bool) -> int:
    """Return how large a file of the cells can be.

    Parameters
    ----------
    dataset
        The cells.
    copied
        Whether their counts are written, or referred to where they lie.
    hidden
        Whether it is written as well which counts are hidden.
    """
    names = (dataset.cell_ids, dataset.symbols, dataset.ensembl, dataset.batches)
    texts = sum(each.nbytes + EACH * len(each) for each in names if each is not None)
    counts, kinds = dataset.counts, [dataset.number] * copied + ["bool"] * hidden
    matrices = sum(counts.nnz * (np.dtype(kind).itemsize + counts.indices.itemsize) for kind in kinds)
    return int(HEADERS + texts + matrices + (1 + len(kinds)) * counts.indptr.nbytes)


def _write_matrix(group: h5py.Group, matrix: sp.csr_matrix, number: str, folder: Path | None) -> None:
    """Write a matrix by rows; where its arrays lie in a folder, refer to the files there."""
    _encode(group, "csr_matrix", "0.1.0")
    group.attrs["shape"] = matrix.shape
    group.create_dataset("indptr", data=matrix.indptr)
    for name, values in (("data", matrix.data), ("indices", matrix.indices)):
        kind = np.dtype(number) if name == "data" else values.dtype
        if folder is None:
            group.create_dataset(name, data=values, dtype=kind)
        else:
            group.create_dataset(name, values.shape, kind, external=[(str(folder / name), 0, values.nbytes)])


def _write_frame(group: h5py.Group, index: npt.NDArray[np.str_], columns: dict[str, npt.NDArray[np.str_]]) -> None:
    import h5py

    _encode(group, "dataframe", "0.2.0")
    group.attrs["_index"] = "_index"
    group.attrs.create("column-order", list(columns), dtype=h5py.string_dtype())
    for name, values in {"_index": index, **columns}.items():
        group.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
        _encode(group[name], "string-array", "0.2.0")

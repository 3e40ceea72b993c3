"""Rows of an AnnData in memory: an embedding that lies in ``obsm``, put in a dataset's order by cell id."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.annotations import Columns
from zsgate.data.counts import as_counts, fault_of
from zsgate.data.file.in_memory import counts_at, read_anndata
from zsgate.errors import UsageProblem, nearest
from zsgate.models.adapter import ModelInfo
from zsgate.models.embedding import check_rows
from zsgate.system import arrays

if TYPE_CHECKING:
    import anndata

    from zsgate.data.dataset import Dataset


@dataclass(frozen=True)
class HeldRows:
    """The adapter of rows that are at hand, one for each cell.

    Attributes
    ----------
    key
        Where they were: a key of ``obsm``, or ``"X"``.
    values
        Rows, (n_cells, n_dimensions).
    ids
        Names of the cells, (n_cells,).
    """

    fixed: ClassVar[bool] = True  # rows of changed cells cannot be had
    fingerprint: ClassVar[None] = None  # they are at hand: nothing need be kept

    key: str
    values: npt.NDArray[Any] = field(repr=False)
    ids: npt.NDArray[np.str_] = field(repr=False)

    @classmethod
    def of(cls, adata: anndata.AnnData, key: str) -> HeldRows:
        """Return the rows at ``key`` of an AnnData.

        Raises
        ------
        UsageProblem
            If there are none, or what is there is no matrix of numbers; ``X`` is taken where it is dense and holds
            no counts.
        """
        return cls(key, _values(adata, key), adata.obs_names.to_numpy(dtype=str))

    @property
    def info(self) -> ModelInfo:
        """The card, which says little: rows are no model."""
        where = "X" if self.key == "X" else f"obsm[{self.key!r}]"
        # what made these rows cannot be asked again for fewer cells
        return ModelInfo(name=self.key, independent_cells=False, notes=(f"rows of {where} of an AnnData in memory",))

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return the rows of the dataset's cells, in its order.

        Raises
        ------
        UsageProblem
            If they are no embedding: NaN, or the same row for all cells.
        """
        place = {cell: position for position, cell in enumerate(self.ids.tolist())}
        rows = arrays.take(self.values, np.array([place[cell] for cell in dataset.cell_ids.tolist()]))
        try:
            return check_rows(rows, source=self.key, n_cells=dataset.n_cells)
        except ValueError as error:
            raise UsageProblem(str(error)) from None

    check = embed


def read_with_rows(
    adata: anndata.AnnData, key: str, columns: Columns, layer: str | None, folder: Path
) -> tuple[Dataset, npt.NDArray[np.float32]]:
    """Return the cells of an AnnData and their rows at ``key``, in the same order.

    Parameters
    ----------
    adata, key
        The cells, and where the embedding is.
    columns, layer
        Where label, batch and donor are, and the counts.
    folder
        As of :func:`zsgate.data.file.in_memory.read_anndata`.

    Raises
    ------
    UsageProblem
        As of that function and of :class:`HeldRows`.
    """
    rows = HeldRows.of(adata, key)
    dataset = read_anndata(adata, counts_at(columns, layer), folder, "adata")
    return dataset, rows.embed(dataset)


def _values(adata: anndata.AnnData, key: str) -> npt.NDArray[Any]:
    if key not in adata.obsm:
        if key == "X" and adata.X is not None:
            return _expression(adata)
        near = nearest(key, list(adata.obsm), cutoff=0.6)
        hint = f"did you mean {near!r}?" if near else f"it has {', '.join(adata.obsm) or 'none'}"
        msg = f"no key {key!r} in obsm; {hint}"
        raise UsageProblem(msg)
    held = adata.obsm[key]
    values = held.toarray() if sp.issparse(held) else np.asarray(held)
    if values.ndim != 2 or values.dtype.kind not in "fiub":
        msg = f"obsm[{key!r}]: a matrix of numbers is needed, one row a cell, not {values.dtype} {values.shape}"
        raise UsageProblem(msg)
    return values


def _expression(adata: anndata.AnnData) -> npt.NDArray[Any]:
    """Return X as an embedding of as many dimensions as there are genes."""
    if not isinstance(adata.X, np.ndarray):
        msg = "X is no dense matrix, so it is no embedding: name a key of obsm, such as 'X_pca'"
        raise UsageProblem(msg)
    if adata.X.dtype.kind not in "fiub" or not fault_of(as_counts(adata.X)):
        msg = "X holds the counts, which are no embedding: name a key of obsm, such as 'X_pca'"
        raise UsageProblem(msg)
    return np.asarray(adata.X)

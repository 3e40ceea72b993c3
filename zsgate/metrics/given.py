"""Given: what a metric is called with, rows or an AnnData and a key of it, made an embedding and cells at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypedDict, TypeGuard

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.data.annotations import Columns
from zsgate.data.dataset import Dataset
from zsgate.errors import unknown
from zsgate.metrics.cache import Recent
from zsgate.metrics.cells import Cells
from zsgate.models.embedding import Embedding

if TYPE_CHECKING:
    import anndata

BESIDE = ("batches", "donors")  # with an array of labels
_CELLS: Recent[Cells] = Recent(8)
KEYS = ("label_key", "batch_key", "donor_key", "layer")  # with an AnnData


class Said(TypedDict, total=False):
    """What is said of the cells beside the embedding and the labels.

    Attributes
    ----------
    batches, donors
        Of each cell, with an array of labels.
    label_key, batch_key, donor_key
        Columns of ``obs`` of an AnnData.
    layer
        Where an AnnData keeps its counts, if not where they are looked for.
    """

    batches: npt.ArrayLike | None
    donors: npt.ArrayLike | None
    label_key: str
    batch_key: str | None
    donor_key: str | None
    layer: str | None


def is_anndata(value: object) -> TypeGuard[anndata.AnnData]:
    """Return whether something is an AnnData; none is where nobody has imported anndata."""
    module = sys.modules.get("anndata")
    return module is not None and isinstance(value, module.AnnData)


@contextmanager
def taken(metric: str, embedding: object, labels: object, said: Said) -> Iterator[tuple[Embedding, Cells]]:
    """Have an embedding and the cells that it is of while the block runs.

    Parameters
    ----------
    metric
        Name of the metric, for messages.
    embedding, labels
        An Embedding or an array of rows, and a Dataset or the label of each cell; or an AnnData and a key of its
        ``obsm``.
    said
        What is said beside.

    Raises
    ------
    TypeError
        In one sentence, if these do not go together, before anything is made of them.
    ValueError
        As of :meth:`Cells.of`; UsageProblem of an AnnData that cannot be read, as a run refuses it.
    """
    if unheard := said.keys() - {*BESIDE, *KEYS}:
        msg = f"{metric}: {unknown('argument', min(unheard), (*BESIDE, *KEYS, 'seeds', 'recipe'))}"
        raise TypeError(msg)
    if is_anndata(embedding):
        with TemporaryDirectory(prefix="zsgate-") as folder:  # counts that fit into no memory stay there
            yield _of_anndata(metric, embedding, labels, said, Path(folder))
        return
    if keys := [key for key in KEYS if key in said]:
        msg = f"{metric}: {keys[0]} is for an AnnData, and the embedding is a {type(embedding).__name__}"
        raise TypeError(msg)
    rows = embedding if isinstance(embedding, Embedding) else _array(metric, embedding)
    cells = _cells(metric, labels, said)
    yield rows if isinstance(rows, Embedding) else Embedding.of(rows), cells


def _cells(metric: str, labels: object, said: Said) -> Cells:
    """Return the cells that labels are of; those of a dataset, with their splits into halves, are made once."""
    if isinstance(labels, Dataset) and not said:
        # the dataset is held by its cells, so no other one can have its identity while they are remembered
        return _CELLS.get(id(labels), lambda: Cells.of(labels))
    known: Any = labels if isinstance(labels, Dataset) else _labels(metric, labels)
    return Cells.of(known, said.get("batches"), said.get("donors"))


def _of_anndata(metric: str, adata: anndata.AnnData, key: object, said: Said, folder: Path) -> tuple[Embedding, Cells]:
    example = f"{metric}(adata, 'X_pca', label_key='cell_type')"
    if not isinstance(key, str):
        msg = f"{metric}: an AnnData needs the key of obsm that holds the embedding, as in {example}"
        raise TypeError(msg)
    if "label_key" not in said:
        msg = f"{metric}: label_key is needed, the column of obs that holds the cell types, as in {example}"
        raise TypeError(msg)
    if beside := [name for name in BESIDE if said.get(name) is not None]:
        msg = f"{metric}: {beside[0]} go with an array of labels; of an AnnData name their column, as in {example}"
        raise TypeError(msg)
    columns = Columns(label=said["label_key"], batch=said.get("batch_key"), donor=said.get("donor_key"))
    # by its name, because what reads is no part of what makes a score: the key of a score has the cells' digest
    read = resolve_name("zsgate.models.precomputed.in_memory:read_with_rows")
    dataset, rows = read(adata, key, columns, said.get("layer"), folder)
    return Embedding.of(rows, source=key), Cells.of(dataset)


def _array(metric: str, value: object) -> npt.NDArray[Any]:
    """Return an array of what is one: NumPy would go through all that can be indexed, a cell and a gene at a time."""
    is_one = isinstance(value, list | tuple) or sp.issparse(value) or hasattr(value, "__array__")
    if not is_one:
        msg = f"{metric}: the embedding must be an Embedding or an array of rows, not a {type(value).__name__}"
        raise TypeError(msg)
    return np.asarray(value)


def _labels(metric: str, value: object) -> object:
    if isinstance(value, list | tuple) or hasattr(value, "__array__"):
        return value
    msg = f"{metric}: labels must be a Dataset or the label of each cell, not a {type(value).__name__}"
    raise TypeError(msg)

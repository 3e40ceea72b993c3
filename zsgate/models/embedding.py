"""Embedding: the rows a model gave, aligned to a dataset's cells, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from zsgate.system import arrays
from zsgate.system.parallel.parts import Parts, runs
from zsgate.verdict.recipe import DEFAULT, Recipe

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset
    from zsgate.models.adapter import Adapter
    from zsgate.system.store import Store

LOSS = 1e-4  # share of the variance between cells that rounding to float32 may cost; it changes asw by about 1e-5
SEEDS = 5  # how often a method that uses chance embeds, unless the user says otherwise
SHARD = 10_000  # cells that are embedded at a time, at most, by a model that looks at each by itself
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Embedding:
    """One or several draws of an embedding of the same cells.

    Attributes
    ----------
    draws
        Arrays of shape (n_cells, n_dimensions), float32 and C-contiguous, in the dataset's cell order;
        one of a method that uses no chance, else one for each seed. Large ones are mapped from files.
    source
        Who made it, as the report names it.
    notes
        Provenance in builtins: seeds, dtype, epochs.
    clusterings
        How often a metric clusters a single draw; of several draws each is clustered once.
    recipe
        Choices of the run that it was made in, which metrics follow.
    store
        Where metrics may keep the scores of this embedding; None: nowhere.
    """

    draws: tuple[Floats, ...] = field(repr=False)
    source: str = "embedding"
    notes: Mapping[str, Any] = field(default_factory=dict)
    clusterings: int = SEEDS
    recipe: Recipe = DEFAULT
    store: Store | None = field(default=None, repr=False)

    @classmethod
    def of(cls, values: npt.ArrayLike | Sequence[npt.ArrayLike], source: str = "embedding") -> Embedding:
        """Return the embedding of one array (n_cells, n_dimensions) or of a sequence of such draws."""
        draws: Sequence[Any] = values if isinstance(values, list | tuple) else [values]
        return cls(tuple(check_rows(draw, source=source) for draw in draws), source)

    def rows(self, cells: npt.NDArray[np.intp]) -> Embedding:
        """Return the embedding of the cells at these positions, in that order."""
        return replace(self, draws=tuple(arrays.take(draw, cells) for draw in self.draws))

    def __post_init__(self) -> None:
        """Refuse no draws, and draws of different cells."""
        lengths = {len(draw) for draw in self.draws}
        if len(lengths) != 1:
            msg = f"{self.source} must give draws of the same cells; they have {sorted(lengths) or 'no'} rows"
            raise ValueError(msg)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the draws' shapes and of the digests of their bytes."""
        told = [(draw.shape, arrays.digest(draw)) for draw in self.draws]
        return hashlib.sha256(repr(told).encode()).hexdigest()


def in_shards(
    models: Mapping[str, Callable[[], Adapter]], dataset: Dataset, parts: Parts, *, apart: bool
) -> list[Floats]:
    """Return the checked rows of all cells by each of some models, float32 (n_cells, n_dimensions).

    Parameters
    ----------
    models
        What returns each model, asked for when its turn comes, by what messages call it.
    dataset
        The cells.
    parts
        Where rows are kept until all are there.
    apart
        Whether the models look at each cell by itself, and so may be given at most 10,000 at a time.

    Raises
    ------
    Exception
        Whatever a model raises, and ValueError for rows that are no embedding.
    """
    shards = runs(dataset.n_cells, SHARD) if apart else [(0, dataset.n_cells)]
    pieces = {f"{name}, cells {start} to {stop}": (name, (start, stop)) for name in models for start, stop in shards}

    def make(names: Sequence[str]) -> Iterator[list[Floats]]:
        for name, some in groupby((pieces[each] for each in names), key=lambda piece: piece[0]):
            model = models[name]()
            for _, cells in some:
                yield [_shard(model, dataset, name, cells)]

    made = [rows for (rows,) in parts.each(list(pieces), make)]
    return [_joined(made[first : first + len(shards)]) for first in range(0, len(made), len(shards))]


def _shard(model: Adapter, dataset: Dataset, name: str, cells: tuple[int, int]) -> Floats:
    if cells == (0, dataset.n_cells):
        return check_rows(model.embed(dataset), source=name, n_cells=dataset.n_cells)
    start, stop = cells
    rows = model.embed(dataset.subset(np.arange(start, stop)))
    return check_rows(rows, source=f"{name}, given cells {start} to {stop},", n_cells=stop - start)


def _joined(shards: Sequence[Floats]) -> Floats:
    if len(shards) == 1:
        return shards[0]
    widths = sorted({rows.shape[1] for rows in shards})
    if len(widths) > 1:
        msg = f"rows of some cells have {widths[0]} dimensions and those of others {widths[-1]}"
        raise ValueError(msg)
    whole = arrays.empty((sum(map(len, shards)), widths[0]))
    filled = 0
    for rows in shards:
        for part in arrays.stretches(rows):
            whole[filled + part.start : filled + part.stop] = rows[part]
        filled += len(rows)
    return whole


def check_rows(values: Any, *, source: str, n_cells: int | None = None) -> Floats:
    """Return ``values`` as float32 (n_cells, n_dimensions), or refuse them in one sentence.

    Parameters
    ----------
    values
        Anything NumPy reads as a 2-D array, or a torch tensor on any device.
    source
        Whose output this is, for the message.
    n_cells
        Number of rows expected; None accepts any.

    Raises
    ------
    ValueError
        If the array is not 2-D and numeric, has the wrong number of rows, no columns, a NaN or an infinite
        value (also after the cast to float32), the same row for every cell, or lies so far from the origin that
        float32 cannot distinguish cells. Its maker may subtract the mean; we do not, since it changes angles.
    """
    array = _as_array(values, source)
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        given = type(values).__name__ + (f" {array.dtype} {array.shape}" if array.ndim else "")
        msg = f"{source} must give a 2-D array of numbers, one row a cell; it gave {given}"
        raise ValueError(msg)
    if n_cells is not None and len(array) != n_cells:
        msg = f"{source} gave {len(array)} rows for {n_cells} cells"
        raise ValueError(msg)
    if not array.size:
        msg = f"{source} gave an empty array of shape {array.shape}"
        raise ValueError(msg)
    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        fits = array.dtype == np.float32 and array.flags.c_contiguous
        rows: Floats = array if fits else arrays.moved(array, np.float32)
    bad = np.concatenate([~np.isfinite(rows[part]).all(axis=1) for part in arrays.stretches(rows)])
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        msg = f"{source} gave NaN or infinite values for {bad.sum()} of {len(rows)} cells (first: row {first})"
        raise ValueError(msg)
    if len(array) > 1 and all((array[part] == array[0]).all() for part in arrays.stretches(array)):
        msg = f"{source} gave the same row for all {len(rows)} cells: a constant embedding carries nothing"
        raise ValueError(msg)
    if not np.can_cast(array.dtype, np.float32) and (lost := _lost_share(array, rows)) > LOSS:
        msg = (
            f"{source} loses {100 * min(lost, 1):.3g} % of the variance between cells when rounded to float32; "
            "subtract the mean of each dimension, or scale it"
        )
        raise ValueError(msg)
    return rows


def _lost_share(array: npt.NDArray[Any], rows: Floats) -> float:
    """Return the squared error of the cast to ``rows``, over the squared distances to the mean."""
    mean = array.mean(axis=0, dtype=np.float64)
    error = spread = 0.0
    for part in arrays.stretches(array):
        error += float(np.square(array[part] - rows[part].astype(np.float64)).sum())
        spread += float(np.square(array[part] - mean).sum())
    return error / spread if spread else 0.0


def _as_array(values: Any, source: str) -> npt.NDArray[Any]:
    if sp.issparse(values):
        msg = f"{source} gave a sparse matrix; an embedding is dense: return it with .toarray()"
        raise ValueError(msg)
    if hasattr(values, "detach"):  # a tensor: with a gradient, on a GPU or in bfloat16 NumPy cannot read it
        values = values.detach().cpu()
        small = values.is_floating_point() and values.element_size() < 4
        values = (values.float() if small else values).numpy()
    try:
        return np.asarray(values)
    except ValueError as error:  # rows of different lengths
        msg = f"{source} must give a 2-D array of numbers, one row a cell; NumPy says: {error}"
        raise ValueError(msg) from None

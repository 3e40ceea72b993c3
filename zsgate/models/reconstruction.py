"""Reconstruction: what a model says of the genes it was shown or had hidden, ragged, a batch of cells at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from zsgate.errors import CandidateFailed
from zsgate.system.hashing import INCREMENT, mix

Scale = Literal["bin", "rank", "counts", "lognorm"]
Integers = npt.NDArray[np.integer[Any]]
SCALES: tuple[Scale, ...] = ("bin", "rank", "counts", "lognorm")


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """Predictions for some cells of a dataset, one entry a (cell, gene).

    Attributes
    ----------
    cells
        Rows of the dataset, intp (n_cells,).
    offsets
        Where each cell's entries begin and the last one's end, int64 (n_cells + 1,).
    genes
        Column of the dataset of each entry, int32 (n_entries,).
    target
        What a perfect model would say on ``scale``, float32 (n_entries,).
    predictions
        What the model says, each (n_entries,). On scale ``"bin"``, ``"counts"`` and ``"lognorm"`` values like
        ``target``, by head (scGPT: ``gep``, ``gepc``). On scale ``"rank"``: ``token``, the likeliest token at the
        position, ``log_probability`` of the true one, and ``likelier``, how many tokens beat it (0: top 1).
    scale
        ``"bin"``: the model's own bins. ``"rank"``: 1 for a cell's first gene, 0 for its last.
        ``"counts"``, ``"lognorm"``: as they say.
    masked
        Which entries the model could not see, bool (n_entries,).
    noise_floor
        Variance of ``target`` under the model's own tokeniser, float32 (n_entries,): squared error that
        no model can avoid where the entry is masked; None where the tokeniser draws nothing.
    tokens
        Vocabulary id of each entry on scale ``"rank"``, int32 (n_entries,); None elsewhere.
    """

    cells: npt.NDArray[np.intp]
    offsets: npt.NDArray[np.int64]
    genes: npt.NDArray[np.int32]
    target: npt.NDArray[np.float32]
    predictions: Mapping[str, npt.NDArray[Any]]
    scale: Scale
    masked: npt.NDArray[np.bool_]
    noise_floor: npt.NDArray[np.float32] | None = None
    tokens: npt.NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def cell_of_entry(self) -> npt.NDArray[np.intp]:
        """Position in ``cells`` of each entry, (n_entries,)."""
        return np.repeat(np.arange(len(self.cells)), np.diff(self.offsets))


def _check(reconstruction: Reconstruction) -> None:
    """Raise CandidateFailed unless all parts fit together and no prediction is NaN or infinite."""
    size = int(reconstruction.offsets[-1])
    parts = {name: getattr(reconstruction, name) for name in ("genes", "target", "masked", "noise_floor", "tokens")}
    parts |= dict(reconstruction.predictions)
    wrong = [f"{name} {part.shape}" for name, part in parts.items() if part is not None and part.shape != (size,)]
    if len(reconstruction.offsets) != len(reconstruction.cells) + 1:
        wrong.append(f"offsets {reconstruction.offsets.shape} for {len(reconstruction.cells)} cells")
    if wrong:
        msg = f"reconstruct: {size} entries, but {'; '.join(wrong)}"
        raise CandidateFailed(msg)
    if reconstruction.scale not in SCALES:
        msg = f"reconstruct: scale {reconstruction.scale!r} is none of {', '.join(SCALES)}"
        raise CandidateFailed(msg)
    broken = [name for name, part in reconstruction.predictions.items() if not np.isfinite(part).all()]
    if broken or not reconstruction.predictions:
        msg = f"reconstruct: {', '.join(broken) or 'no head'} has values that are not finite"
        raise CandidateFailed(msg)


def hidden(
    offsets: Integers,
    genes: Integers,
    share: float,
    seed: int = 0,
    *,
    expressed: tuple[Integers, Integers] | None = None,
) -> npt.NDArray[np.bool_]:
    """Return which entries to hide: ``share`` of each cell's (if any, then at least one), bool (n_entries,).

    All genes that a cell expresses have an order, and those first in it are hidden. It depends on the columns of the
    expressed genes and on the seed alone: the same in any window, process or model. So two models that read the same
    genes of a cell have the same ones hidden, and one that reads fewer has those hidden that come first among its own.

    Parameters
    ----------
    offsets
        Where each cell's entries begin and the last one's end, (n_cells + 1,).
    genes
        The dataset's column of each entry's gene, distinct in a cell, (n_entries,), in any order.
    share
        Share to hide, 0 to 1.
    seed
        Another seed hides others.
    expressed
        Offsets and genes of all that the cells express, for a model that reads only some of it; None takes the
        entries themselves.
    """
    lengths = np.diff(offsets)
    cell = np.repeat(np.arange(len(lengths)), lengths)
    of_cell = mix(_sums(*((offsets, genes) if expressed is None else expressed), seed))
    place = np.empty(len(genes), np.int64)
    place[np.lexsort((mix(_words(genes, seed) ^ of_cell[cell]), cell))] = np.arange(len(genes))
    wanted = np.where(share > 0, np.maximum(1, np.rint(share * lengths)), 0)
    return place - np.repeat(offsets[:-1], lengths) < wanted[cell]


def _words(genes: Integers, seed: int) -> npt.NDArray[np.uint64]:
    """Return a word for each gene that looks random and is fixed by its column and the seed."""
    return mix(genes.astype(np.uint64) + np.uint64(seed * INCREMENT % 2**64))


def _sums(offsets: Integers, genes: Integers, seed: int) -> npt.NDArray[np.uint64]:
    """Return for each cell the sum of its genes' words modulo 2 ** 64, the same in any order, (n_cells,)."""
    sums = np.zeros(len(offsets) - 1, np.uint64)
    np.add.at(sums, np.repeat(np.arange(len(sums)), np.diff(offsets)), _words(genes, seed))
    return sums

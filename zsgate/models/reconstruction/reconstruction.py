"""Reconstruction: what a model says of the genes it was shown or had hidden, ragged, a batch of cells at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from zsgate.errors import CandidateFailed

Scale = Literal["bin", "rank", "counts", "lognorm"]
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
        What a perfect model would say on ``scale``, float32 (n_entries,). The gate holds it against the dataset
        (:mod:`zsgate.models.reconstruction.targets`), and fills it in where the model was not shown the gene.
    predictions
        What the model says, each (n_entries,). On scale ``"bin"``, ``"counts"`` and ``"lognorm"`` values like
        ``target``, by head (scGPT: ``gep``, ``gepc``). On scale ``"rank"``: ``token``, the likeliest token at the
        position, ``log_probability`` of the true one, and ``likelier``, how many tokens beat it (0: top 1).
    scale
        ``"bin"``: the model's own bins. ``"rank"``: 1 for a cell's first gene, 0 for its last.
        ``"counts"``: as it says. ``"lognorm"``: log(1 + counts scaled to 10,000 a cell), natural.
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

    def fits(self, n_cells: int, n_genes: int) -> bool:
        """Return whether all cells and genes are those of a dataset of this size."""
        pairs = ((self.cells, n_cells), (self.genes, n_genes))
        return all(bool(((places >= 0) & (places < size)).all()) for places, size in pairs)


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

"""Draws: what a baseline returns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# how an embedding was made, for the report: seeds, genes, epochs, and whatever needs a sentence
Notes = dict[str, str | int | list[int]]
# one embedding a seed, float32 (n_cells, n_dimensions); a baseline that draws nothing gives one
Draws = tuple[list[npt.NDArray[np.float32]], Notes]

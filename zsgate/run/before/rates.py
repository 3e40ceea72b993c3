"""Rates: how long a step takes on this machine, as earlier runs measured it, else as a table says.

A table is of another machine and other cells, so what it says is a guess; after the first run the figures are this
machine's own. They lie in the cache folder and decide nothing but what is said of the time ahead.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from zsgate.models.device import cpu_flags
from zsgate.system.files import make_folder, replaced_whole

FILE = "rates.json"
SHORTEST = 0.05  # seconds; what is over sooner tells little of more cells
# seconds a unit on two cores with AVX-512 (benchmarks/RESULTS.md, "Whole runs" and the tables of single steps): units
# are cells, cells times trainings for scVI and untrained twins, and cells to the power of SUPERLINEAR for scores
TABLE = {
    "read": 4e-4,
    "embed hvg": 4e-4,
    "embed pca": 6e-4,
    "embed random_projection": 2e-4,
    "embed scvi levels_off": 2e-2,
    "embed scvi paper": 0.6,
    "embed cellama": 1.2e-2,
    "embed scgpt": 0.5,
    "embed geneformer": 0.4,
    "embed scfoundation": 0.6,
    "embed uce": 0.5,
    "embed scbert": 2.2,
    "embed genecompass": 1.2,
    "embed scimilarity": 1e-3,
    "embed gene2vec": 5e-4,
    "score": 2e-4,
}
# on a GPU, one H200 (benchmarks/RESULTS.md, "GPU"); what is not here takes as long as beside it
ON_GPU = {
    "embed scvi levels_off": 1e-2,
    "embed cellama": 1e-3,
    "embed scgpt": 1e-3,
    "embed geneformer": 1e-3,
    "embed scfoundation": 2e-3,
    "embed uce": 2e-3,
    "embed scbert": 3e-2,
    "embed genecompass": 2e-3,
}
SUPERLINEAR = 1.3  # distances are of the square of the cells, partitions nearly linear


@dataclass(frozen=True, slots=True)
class Rate:
    """How long one unit of a step takes.

    Attributes
    ----------
    seconds
        A unit.
    measured
        Whether an earlier run on this machine says so.
    """

    seconds: float
    measured: bool


@dataclass(frozen=True)
class Rates:
    """The rates of this machine, by step.

    Parameters
    ----------
    folder
        The cache folder.
    gpu
        Whether models run on a GPU, which has rates of its own.
    """

    folder: Path
    gpu: bool = False

    def of(self, step: str) -> Rate | None:
        """Return the rate of a step; None where neither an earlier run nor the table knows it."""
        own = self._all().get(self._machine, {}).get(step)
        if own is not None:
            return Rate(own, measured=True)
        table = TABLE | (ON_GPU if self.gpu else {})
        known = table.get(step, table.get(step.partition("_")[0]))  # a family's, of a checkpoint such as scgpt_human
        return None if known is None else Rate(known, measured=False)

    def learn(self, measured: Iterable[tuple[str, float, float]]) -> None:
        """Keep what steps took: (step, units, seconds); the last of a step counts, and a full disk is no fault."""
        found = {step: seconds / units for step, units, seconds in measured if units > 0 and seconds >= SHORTEST}
        if not found:
            return
        every = self._all()
        every[self._machine] = {**every.get(self._machine, {}), **found}
        with suppress(OSError):
            make_folder(self.folder)
            with replaced_whole(self.folder / FILE) as part:
                part.write_text(json.dumps(every, indent=1, sort_keys=True), encoding="utf-8")

    @property
    def _machine(self) -> str:
        return f"{machine()} gpu" if self.gpu else machine()

    def _all(self) -> dict[str, dict[str, float]]:
        """Return the rates of all machines that share the folder; none where the file is damaged."""
        with suppress(OSError, ValueError, AttributeError, TypeError):
            kept = json.loads((self.folder / FILE).read_text(encoding="utf-8"))
            return {
                str(name): {str(step): float(rate) for step, rate in rates.items() if 0 < float(rate) < float("inf")}
                for name, rates in kept.items()
            }
        return {}


def machine() -> str:
    """Return what tells this machine from others that are faster or slower: its CPU, cores and threads allowed."""
    flags = " ".join(sorted(cpu_flags() or ()))
    said = (platform.system(), platform.machine(), platform.processor(), flags, os.cpu_count())
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return hashlib.sha256(repr((said, threads)).encode()).hexdigest()[:16]

"""Scenario: a fault, tried on real runs, and what each try broke of what must hold."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

from benchmarks.faults.gate import FOUR, Ended, Project, new_project
from zsgate.data.catalogue.load import load

N_DONORS, N_CELLS = 12, 20  # of the file that is judged on: cells of each donor


@dataclass(frozen=True)
class Try:
    """One try of a scenario.

    Attributes
    ----------
    what
        Which one it is.
    broken
        What did not hold, in sentences; empty where the run survived.
    """

    what: str
    broken: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """A fault and its tries.

    Attributes
    ----------
    name
        As the table and ``--only`` have it: ``"kind: which"``.
    tries
        Makes them in projects of a bench, one after another.
    missing
        Says what the machine lacks for it, or an empty string.
    """

    name: str
    tries: Callable[[Bench], Iterator[Try]]
    missing: Callable[[], str] = field(default=lambda: "")


class Bench:
    """Where scenarios are tried: a folder, the cells, and a run that nothing disturbed.

    Parameters
    ----------
    folder
        Where projects are made, which are deleted with :meth:`clear`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="zsgate-faults-", dir=folder))
        self.folder.chmod(0o755)
        self._number = 0

    @cached_property
    def cells(self) -> Path:
        """A file of 240 real cells of 12 donors."""
        path = self.folder / "cells.h5ad"
        write_few_cells(path)
        return path

    @cached_property
    def calm(self) -> Ended:
        """A run that nothing disturbed, with four verdicts."""
        ended = self.project().gate(select=FOUR)
        assert ended.code == 0, ended.out + ended.err
        return ended

    def project(self) -> Project:
        """Return a fresh one."""
        self._number += 1
        return new_project(self.folder / f"{self._number:03d}", self.cells)

    def clear(self) -> None:
        """Delete the projects."""
        shutil.rmtree(self.folder, ignore_errors=True)


def write_few_cells(path: Path) -> None:
    """Write real cells of the packaged dataset, as many of each of its largest donors, and the genes seen in ten."""
    every = load("pancreas_quick")
    assert every.donors is not None
    assert every.ensembl is not None
    donors, sizes = np.unique(every.donors, return_counts=True)
    largest = donors[np.argsort(-sizes, kind="stable")[:N_DONORS]]
    rows = np.sort(np.concatenate([np.flatnonzero(every.donors == donor)[:N_CELLS] for donor in largest]))
    few = every.subset(rows, name="few")
    obs = pd.DataFrame(
        {"cell_type": few.cell_types, "sample": few.batches, "donor": few.donors}, index=few.cell_ids.astype(object)
    )
    seen = np.asarray((few.counts > 0).sum(axis=0)).ravel() >= 10
    var = pd.DataFrame(index=pd.Index(every.ensembl[seen].astype(object)))
    anndata.AnnData(few.counts[:, seen].copy(), obs=obs.astype("category"), var=var).write_h5ad(path)


@cache
def lacks_mounts() -> str:
    """Return in words that this account may not mount, if so."""
    try:
        made = subprocess.run(
            ["unshare", "-m", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, timeout=10
        )
    except OSError:
        return "needs unshare"
    return "needs leave to mount" if made.returncode else ""


def lacks(program: str) -> str:
    """Return in words that a program is not here, if so."""
    return "" if shutil.which(program) else f"needs {program}"

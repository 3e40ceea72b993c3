"""A user's own model: a function or class of their package that maps AnnData to rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from zsgate.errors import CandidateFailed, UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.embedding import check_rows
from zsgate.models.reconstruction import SCALES, Reconstruction, Scale
from zsgate.models.reconstruction.hiding import blinded
from zsgate.models.reconstruction.targets import settled
from zsgate.models.user_import import import_model
from zsgate.system.progress import waiting
from zsgate.system.sources import code_beside

if TYPE_CHECKING:
    import anndata

    from zsgate.data.dataset import Dataset

DRAWS = 3  # of a model that draws chance
NO_RANKS = (
    "a gene's rank follows from all counts of its cell, so a tokeniser of one's own cannot rank genes that are hidden "
    "from it, and one that is shown them may peek"
)


class UserModel:
    """The adapter of ``pkg.mod:attr``.

    The attribute is a function ``f(adata) -> array``, or a class (made with no argument, or with ``device`` if it
    takes one) whose instances are called the same way or have ``embed(adata)``. It sees counts, genes and names of
    cells, never labels or donors. Optional attributes: ``random_init(seed)`` returning an untrained twin,
    ``independent_cells = False`` for a model that looks across cells, ``needs_batches = True`` for one that must be
    told the cells' batches (``obs["batch"]``), ``stochastic = True`` for one that draws chance
    and ``draws`` for how often it then embeds (3 times: as long as three models), ``fingerprint`` (a string that
    changes with the weights) to keep embeddings between runs, ``info`` (a :class:`ModelInfo`),
    ``reconstruct(adata, masked=share, seed=n)`` yielding :class:`zsgate.models.reconstruction.Reconstruction`, with
    ``scale`` and ``heads`` (of ``gep``, ``gepc``) beside it, and for bins ``targets(adata)``. The AnnData of
    ``reconstruct`` has no count that is hidden; that of ``targets``, asked when the predictions are given, has all.

    Parameters
    ----------
    name
        ``pkg.mod:attr``.
    device
        ``"cpu"`` or ``"cuda"``.
    folder
        Put on the import path, as ``python -m`` would.
    model
        The user's object, where it is there already; None imports it.
    twin
        Seed of an untrained twin; None is the model itself.
    draws
        How often a model that draws chance embeds; None takes what the object says, or 3. It is given no seed: calls
        are repeated.

    Raises
    ------
    UsageProblem
        If the name cannot be imported, the class cannot be made, the object cannot embed, its fingerprint is no
        string, or its draws are no number.
    """

    foreign: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        *,
        device: str = "cpu",
        folder: Path | None = None,
        model: Any = None,
        twin: int | None = None,
        draws: int | None = None,
    ) -> None:
        self.name = name
        self.device = device
        self.twin = twin
        self.model = import_model(name, device, folder) if model is None else model
        declared = getattr(self.model, "fingerprint", None)
        if not isinstance(declared, str | None):
            msg = f"--model {name}: its fingerprint must be a string, or None to keep nothing, not {declared!r}"
            raise UsageProblem(msg)
        self.draws = _read_draws(name, self.model, draws, stochastic=self.info.stochastic)
        if hasattr(self.model, "random_init"):
            self.random_init = self._random_init
        if hasattr(self.model, "reconstruct"):
            self.reconstruct = self._reconstruct
            self.scale, self.heads = _read_scale(name, self.model)
            self.cannot_hide = NO_RANKS if self.scale == "rank" else ""

    @property
    def info(self) -> ModelInfo:
        """The card the user's object carries, or a bare one."""
        info = getattr(self.model, "info", None)
        if isinstance(info, ModelInfo):
            return info
        return ModelInfo(
            name=getattr(self.model, "name", None) or self.name.rpartition(":")[2],
            independent_cells=bool(getattr(self.model, "independent_cells", True)),
            stochastic=bool(getattr(self.model, "stochastic", False)),
            notes=(f"imported from {self.name}",),
        )

    @property
    def needs_batches(self) -> bool:
        """Whether it is to be told the cells' batches."""
        return bool(getattr(self.model, "needs_batches", False))

    @property
    def fingerprint(self) -> str | None:
        """What the user's object declares, its code and what it predicts, with the seed of a twin.

        None keeps nothing between runs.
        """
        declared = getattr(self.model, "fingerprint", None)
        if declared is None:
            return None
        of = "" if self.twin is None else f":random{self.twin}"
        predicts = f":{self.scale}:{','.join(self.heads)}" if hasattr(self, "scale") else ""
        return f"{self.name}:{self.device}:{declared}:{code_beside(self.name.partition(':')[0])}{predicts}{of}"

    def repeats(self) -> tuple[UserModel, ...]:
        """Return what a gate embeds with: the same model once for each of its draws."""
        return (self,) * self.draws

    def embed(self, dataset: Dataset) -> npt.NDArray[np.float32]:
        """Return what the user's object gives for the dataset's AnnData as float32.

        Raises
        ------
        ValueError
            If it is no embedding of the cells.
        """
        with waiting(f"{self.info.name}: embedding {dataset.n_cells:,} cells"):
            return self.rows_of(self._anndata(dataset))

    def rows_of(self, adata: anndata.AnnData) -> npt.NDArray[np.float32]:
        """Return what the user's object gives for an AnnData; a data frame indexed by cell is put in its order.

        Raises
        ------
        ValueError
            If it is no embedding of the cells.
        """
        cells = adata.obs_names.tolist()
        values = getattr(self.model, "embed", self.model)(adata)
        if hasattr(values, "loc") and set(values.index) == set(cells):
            values = values.loc[cells]
        return check_rows(values, source=self.info.name, n_cells=len(cells))

    def _anndata(self, dataset: Dataset) -> anndata.AnnData:
        return dataset.to_anndata(batches=self.needs_batches)

    def _reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield what the user's object predicts of genes, those hidden being hidden from it, with the true targets.

        Raises
        ------
        CandidateFailed
            If genes cannot be hidden from it, or it contradicts the dataset.
        """
        if masked and self.cannot_hide:
            raise CandidateFailed(self.cannot_hide)
        own = self._targets if self.scale == "bin" else None
        shown = blinded(dataset, masked, seed, batches=self.needs_batches)
        for part in self.model.reconstruct(shown, masked=masked, seed=seed):
            fits = isinstance(part, Reconstruction) and part.fits(dataset.n_cells, len(dataset.symbols))
            yield settled(part, dataset, masked, seed, own) if fits and part.scale == self.scale else part

    def _targets(self, dataset: Dataset) -> Any:
        return self.model.targets(self._anndata(dataset))

    def _random_init(self, seed: int) -> UserModel:
        return UserModel(self.name, device=self.device, model=self.model.random_init(seed), twin=seed)


def _read_scale(name: str, model: Any) -> tuple[Scale, tuple[str, ...]]:
    """Return scale and heads of a user's ``reconstruct``, without which no test of it can be chosen."""
    scale, heads = getattr(model, "scale", None), tuple(getattr(model, "heads", ("gep",)))
    if scale not in SCALES:
        msg = f"--model {name}: it has reconstruct(), so it must have scale, one of {', '.join(SCALES)}; not {scale!r}"
        raise UsageProblem(msg)
    if scale == "bin" and not hasattr(model, "targets"):
        msg = (
            f"--model {name}: bins are its own, so beside reconstruct() it must have targets(adata), the bins of whole "
            "cells (n_cells, n_genes); the AnnData of reconstruct() does not hold what is hidden"
        )
        raise UsageProblem(msg)
    return scale, heads


def _read_draws(name: str, model: Any, given: int | None, *, stochastic: bool) -> int:
    """Return how often a user's object embeds: as pyproject.toml says, as it says itself, or as is usual."""
    said = getattr(model, "draws", None) if given is None else given
    if said is None:
        return DRAWS if stochastic else 1
    if type(said) is not int or said < 1:
        msg = f"--model {name}: draws must be a whole number from 1 on, not {said!r}"
        raise UsageProblem(msg)
    if said > 1 and not stochastic:
        msg = f"--model {name}: {said} draws of a model that does not say stochastic = True would all be the same"
        raise UsageProblem(msg)
    return said

"""scVI, trained on the dataset itself with the paper's hyperparameters (Lopez et al. 2018; scvi-tools).

Two layers, 30 latent dimensions, negative binomial likelihood, all else scvi-tools' defaults. The quick tier trains
on 2,000 genes until the validation ELBO levels off; every other tier trains the paper's way, on all genes for
``min(400, 400 * 20,000 / n_cells)`` epochs.
"""

from __future__ import annotations

import logging
import os
import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines import lacking
from zsgate.baselines.draws import Draws, Notes
from zsgate.data.counts import blocks
from zsgate.data.mapped import counts_at, place_of
from zsgate.data.preprocess import highly_variable
from zsgate.errors import UsageProblem
from zsgate.system import arrays
from zsgate.system.memory import keep_freed_blocks
from zsgate.system.processes import NO_PROCESSES, processes

if TYPE_CHECKING:
    import scipy.sparse as sp
    import torch
    from scvi.distributions import NegativeBinomial

    from zsgate.data.dataset import Dataset

# counts or the folder they are mapped from, genes (None for all), batches, seed, whether quick
Job = tuple["sp.csr_matrix | Path", "npt.NDArray[np.intp] | None", "npt.NDArray[np.str_] | None", int, bool]
Trained = tuple[npt.NDArray[np.float32], int]  # posterior means, epochs
MIN_EPOCHS = 100
PATIENCE = 10  # epochs without a better validation ELBO, once MIN_EPOCHS are done
CHECK = 5  # epochs from one look at the validation ELBO to the next
MAX_EPOCHS = 400
LIKELIHOOD = (
    "scvi-tools' negative binomial without the gamma functions of zero counts, which cancel out; on real cells the "
    "latents are those of scvi-tools' own code to the last bit"
)


def embed(dataset: Dataset, *, seeds: int, quick: bool) -> Draws:
    """Return (posterior means, one float32 (n_cells, 30) a seed, notes).

    Parameters
    ----------
    dataset
        The cells; their batches are the covariate where known.
    seeds
        Number of trainings.
    quick
        Train on 2,000 genes and stop early.

    Raises
    ------
    UsageProblem
        If scvi-tools is not installed.
    """
    if problem := lacking("scvi"):
        raise UsageProblem(problem)
    genes = highly_variable(dataset) if quick else None
    counts = place_of(dataset.counts) or dataset.counts  # counts on disk are mapped by every worker
    jobs = [(counts, genes, dataset.batches, seed, quick) for seed in range(seeds)]
    trained = list(_side_by_side(jobs))
    notes: Notes = {
        "seeds": list(range(seeds)),
        "genes": dataset.counts.shape[1] if genes is None else len(genes),
        "epochs": [epochs for _, epochs in trained],
        "stopped": "when the validation ELBO levelled off" if quick else "after the paper's number of epochs",
        "likelihood": LIKELIHOOD,
    }
    return [latent for latent, _ in trained], notes


def _side_by_side(jobs: list[Job]) -> Iterator[Trained]:
    """Train every seed in a process of its own; of the quick tier side by side, for threads do not help it."""
    from zsgate.system.progress import steps

    workers = min(len(jobs), 2 * (os.cpu_count() or 1)) if jobs[0][-1] else 1
    with ExitStack() as held, steps("scvi: training", len(jobs)) as advance:
        try:
            pool = held.enter_context(processes(workers, _context()))
            trained = pool.map(train, jobs)
        except NO_PROCESSES:
            trained = map(_train_here, jobs)
        for each in trained:
            advance(1)
            yield each


def _train_here(job: Job) -> Trained:
    """Return what :func:`train` does, in this process, which is then as it was: threads and random numbers."""
    import scvi
    import torch

    before = torch.get_num_threads(), scvi.distributions.NegativeBinomial.log_prob, random.getstate()
    of_numpy = np.random.get_state()  # noqa: NPY002 - the one that scvi-tools seeds
    try:
        with torch.random.fork_rng():
            return train(job)
    finally:
        torch.set_num_threads(before[0])
        torch.distributions.Distribution.set_default_validate_args(True)
        scvi.distributions.NegativeBinomial.log_prob = before[1]
        random.setstate(before[2])
        np.random.set_state(of_numpy)  # noqa: NPY002


def _context() -> BaseContext:
    """Return how to start processes: as forks of one that has imported scvi-tools already, where there is fork."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["scvi", "zsgate.baselines.scvi"])
    return context


def train(job: Job) -> Trained:
    """Return (posterior means, epochs trained) of one seed."""
    source, genes, batches, seed, quick = job
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside the training stack, which no user can act on
        import torch

        if quick:
            torch.set_num_threads(1)
        keep_freed_blocks()
        torch.distributions.Distribution.set_default_validate_args(False)  # a quarter of the time, no effect
        import anndata
        import pandas as pd
        import scvi

        scvi.distributions.NegativeBinomial.log_prob = log_prob  # in this process only
        scvi.settings.seed = seed
        counts = counts_at(source) if isinstance(source, Path) else source
        adata = anndata.AnnData(counts if genes is None else _dense(counts, genes))
        if batches is not None:
            adata.obs["batch"] = pd.Categorical(batches.astype(object))
        scvi.model.SCVI.setup_anndata(adata, batch_key=None if batches is None else "batch")
        model = scvi.model.SCVI(adata, n_layers=2, n_latent=30, gene_likelihood="nb")
        model.train(
            **schedule(adata.n_obs, quick), accelerator="cpu", enable_progress_bar=False, enable_model_summary=False
        )
        latent = np.asarray(model.get_latent_representation(), dtype=np.float32)
        return latent, len(model.history["elbo_train"])


def _dense(counts: sp.csr_matrix, genes: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Return these genes' counts as an array; of many cells in a mapped file."""
    rows = arrays.empty((counts.shape[0], len(genes)))
    for part, some in blocks(counts):
        some[:, genes].toarray(out=rows[part])
    return rows


def schedule(n_cells: int, quick: bool) -> dict[str, Any]:
    """Return the arguments of scvi-tools' ``train`` that decide how long it trains."""
    if not quick:
        return {"max_epochs": max(1, min(MAX_EPOCHS, round(20_000 / n_cells * MAX_EPOCHS)))}
    return {
        "max_epochs": MAX_EPOCHS,
        "early_stopping": True,
        "early_stopping_monitor": "elbo_validation",
        "early_stopping_patience": PATIENCE // CHECK,
        "early_stopping_warmup_epochs": (MIN_EPOCHS - PATIENCE) // CHECK,
        "check_val_every_n_epoch": CHECK,
        # scvi-tools warms the KL term up over 400 epochs: a shorter training needs it in full by its earliest end
        "plan_kwargs": {"n_epochs_kl_warmup": MIN_EPOCHS},
    }


def log_prob(self: NegativeBinomial, value: torch.Tensor) -> torch.Tensor:
    """Return the log-likelihood of each count, in place of ``scvi.distributions.NegativeBinomial.log_prob``.

    Most counts are zero, and there ``lgamma(x + theta) - lgamma(theta) - lgamma(x + 1)`` is zero, and so are its
    gradients. The gamma functions and their derivatives are over a third of the time of a training on the CPU.

    Parameters
    ----------
    self
        Distribution with ``mu`` (mean) and ``theta`` (inverse dispersion), each of the shape of ``value``.
    value
        Counts, any shape.
    """
    import torch

    mu, theta, eps = self.mu, self.theta, self._eps
    log_sum = torch.log(theta + mu + eps)
    of_zero = theta * (torch.log(theta + eps) - log_sum)
    seen = value.reshape(-1).nonzero().squeeze(1)
    x, m, t, s = (tensor.reshape(-1).index_select(0, seen) for tensor in (value, mu, theta, log_sum))
    of_seen = x * (torch.log(m + eps) - s) + torch.lgamma(x + t) - torch.lgamma(t) - torch.lgamma(x + 1)
    total: torch.Tensor = of_zero.reshape(-1).index_add(0, seen, of_seen).view(value.shape)
    return total


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Lightning's and scvi-tools' chatter on loggers and standard output."""
    loud = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning", "scvi")]
    levels = [logger.level for logger in loud]
    for logger in loud:
        logger.setLevel(logging.ERROR)
    try:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            yield
    finally:
        for logger, level in zip(loud, levels, strict=True):
            logger.setLevel(level)

"""One training of scVI: the schedule it follows, and a likelihood that leaves out what cancels."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from zsgate.baselines.scvi.encoder import weights_of
from zsgate.data.counts import blocks
from zsgate.data.mapped import counts_at
from zsgate.system import arrays
from zsgate.system.memory import keep_freed_blocks

if TYPE_CHECKING:
    import scipy.sparse as sp
    import torch
    from scvi.distributions import NegativeBinomial

ScheduleName = Literal["levels_off", "paper"]
MAX_EPOCHS, MAX_STEPS = 400, 6_000
MIN_EPOCHS, MIN_STEPS = 100, 4_000  # the earliest end, whichever of the two comes first, and the KL term's warm-up
PATIENCE, PATIENT_STEPS = 10, 1_000  # without a better validation ELBO, once the earliest end has come
CHECKS = 2  # looks at the validation ELBO that this patience spans
BATCH = 128  # cells a step, scvi-tools' default
TRAINED_ON = 0.9  # of the cells, scvi-tools' default; the others' ELBO decides when to stop


class Job(NamedTuple):
    """What one training needs.

    Attributes
    ----------
    source
        Counts, or the folder that they are mapped from.
    genes
        Columns to train on, all of them if None.
    batches
        The covariate, if known.
    seed
        Of every random number.
    schedule
        How long it trains.
    device
        ``"cpu"`` or ``"cuda"``.
    """

    source: sp.csr_matrix | Path
    genes: npt.NDArray[np.intp] | None
    batches: npt.NDArray[np.str_] | None
    seed: int
    schedule: ScheduleName
    device: str = "cpu"


class Trained(NamedTuple):
    """What a training gives.

    Attributes
    ----------
    latent
        Posterior means, float32 (n_cells, 30).
    epochs
        Number of epochs it took.
    encoder
        Weights of the encoder (:mod:`zsgate.baselines.scvi.encoder`); none of a training on all genes.
    """

    latent: npt.NDArray[np.float32]
    epochs: int
    encoder: tuple[npt.NDArray[np.float64], ...]


def train_marking(job: Job, mark: Path) -> Trained:
    """Train in a process of its own; the file ``mark`` grows by one byte an epoch, for whoever waits to see."""
    with mark.open("ab", buffering=0) as file:
        return train(job, lambda: file.write(b"."))


def train(job: Job, epoch_done: Callable[[], object] = lambda: None) -> Trained:
    """Return what one seed learnt.

    Parameters
    ----------
    job
        The training.
    epoch_done
        Called after every epoch.
    """
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations inside the training stack, which no user can act on
        import torch

        if job.schedule == "levels_off":
            torch.set_num_threads(1)
        torch.distributions.Distribution.set_default_validate_args(False)  # a quarter of the time, no effect
        import scvi
        from lightning.pytorch.callbacks import LambdaCallback

        if job.device == "cpu":
            keep_freed_blocks()
            scvi.distributions.NegativeBinomial.log_prob = log_prob  # in this process only
        scvi.settings.seed = job.seed
        model = _model(job)
        model.train(
            **schedule(job.schedule, model.adata.n_obs),
            accelerator="cpu" if job.device == "cpu" else "gpu",
            devices=1,
            callbacks=[LambdaCallback(on_train_epoch_end=lambda *_: epoch_done())],
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        latent = np.asarray(model.get_latent_representation(), dtype=np.float32)
        encoder = () if job.genes is None else weights_of(model)
        return Trained(latent, len(model.history["elbo_train"]), encoder)


def _model(job: Job) -> Any:
    """Return scvi-tools' model of the job's counts, untrained."""
    import anndata
    import pandas as pd
    import scvi

    counts = counts_at(job.source) if isinstance(job.source, Path) else job.source
    adata = anndata.AnnData(counts if job.genes is None else _dense(counts, job.genes))
    if job.batches is not None:
        adata.obs["batch"] = pd.Categorical(job.batches.astype(object))
    scvi.model.SCVI.setup_anndata(adata, batch_key=None if job.batches is None else "batch")
    return scvi.model.SCVI(adata, n_layers=2, n_latent=30, gene_likelihood="nb")


def _dense(counts: sp.csr_matrix, genes: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Return these genes' counts as an array; of many cells in a mapped file."""
    rows = arrays.empty((counts.shape[0], len(genes)))
    for part, some in blocks(counts):
        some[:, genes].toarray(out=rows[part])
    return rows


def most_epochs(name: ScheduleName, n_cells: int) -> int:
    """Return after how many epochs a training ends at the latest."""
    return int(schedule(name, n_cells)["max_epochs"])


def schedule(name: ScheduleName, n_cells: int) -> dict[str, Any]:
    """Return the arguments of scvi-tools' ``train`` that decide how long it trains.

    ``"paper"`` is scvi-tools' own rule, ``min(400, 400 * 20,000 / n_cells)`` epochs. ``"levels_off"`` ends before that
    when the validation ELBO levels off, and counts steps as well as epochs: of more cells an epoch has more steps, and
    it is steps that a network learns by.
    """
    paper = max(1, min(MAX_EPOCHS, round(20_000 / n_cells * MAX_EPOCHS)))
    if name == "paper":
        return {"max_epochs": paper}
    steps = math.ceil(TRAINED_ON * n_cells / BATCH)
    earliest = max(1, min(MIN_EPOCHS, round(MIN_STEPS / steps)))
    patience = max(CHECKS, min(PATIENCE, round(PATIENT_STEPS / steps)))
    check = patience // CHECKS
    return {
        "max_epochs": max(1, min(paper, round(MAX_STEPS / steps))),
        "early_stopping": True,
        "early_stopping_monitor": "elbo_validation",
        "early_stopping_patience": CHECKS,
        "early_stopping_warmup_epochs": max(0, earliest - patience) // check,
        "check_val_every_n_epoch": check,
        # scvi-tools warms the KL term up over 400 epochs: a shorter training needs it in full by its earliest end
        "plan_kwargs": {"n_epochs_kl_warmup": earliest},
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

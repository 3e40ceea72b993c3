"""scVI, trained on the dataset itself with the paper's hyperparameters (Lopez et al. 2018; scvi-tools).

Two layers, 30 latent dimensions, negative binomial likelihood, all else scvi-tools' defaults. By default it trains on
2,000 genes until the validation ELBO levels off, for 4,000 to 10,000 steps (of few cells 100 to 400 epochs); the
paper's recipe trains the paper's way, on all genes for ``min(400, 400 * 20,000 / n_cells)`` epochs.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, contextmanager
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.context import BaseContext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zsgate.baselines import lacking
from zsgate.baselines.draws import Draws, Keep, Learnt, Notes, forget
from zsgate.baselines.scvi.encoder import N_ARRAYS, encode
from zsgate.baselines.scvi.training import Job, ScheduleName, Trained, most_epochs, train, train_marking
from zsgate.data.counts import blocks
from zsgate.data.mapped import place_of
from zsgate.data.preprocess import highly_variable
from zsgate.errors import UsageProblem
from zsgate.system.parallel.parts import Parts
from zsgate.system.parallel.threads import share
from zsgate.system.processes import NO_PROCESSES, processes
from zsgate.system.progress import steps

if TYPE_CHECKING:
    from zsgate.data.dataset import Dataset

LOOK = 0.5  # seconds from one look at how far the trainings are to the next
STOPPED = {"levels_off": "when the validation ELBO levelled off", "paper": "after the paper's number of epochs"}
LIKELIHOOD = {
    "cpu": "scvi-tools' negative binomial without the gamma functions of zero counts, which cancel out; on real cells "
    "the latents are those of scvi-tools' own code to the last bit",
    "cuda": "scvi-tools' negative binomial",
}


def embed(
    dataset: Dataset,
    *,
    seeds: int,
    schedule: ScheduleName,
    device: str = "cpu",
    keep: Keep = forget,
    parts: Parts | None = None,
) -> Draws:
    """Return (posterior means, one float32 (n_cells, 30) a seed, notes).

    Parameters
    ----------
    dataset
        The cells; their batches are the covariate where known.
    seeds
        Number of trainings.
    schedule
        ``"levels_off"`` trains on 2,000 genes until the validation ELBO levels off, ``"paper"`` on all genes for the
        paper's number of epochs.
    device
        ``"cpu"``, where trainings run side by side, or ``"cuda"``, where one follows the other.
    keep
        Is handed the positions of the genes and, seed after seed, the weights of the encoder; not of a training on
        all genes, which no one asks for.
    parts
        Where each training is kept until all are done.

    Raises
    ------
    UsageProblem
        If scvi-tools is not installed.
    """
    if problem := lacking("scvi"):
        raise UsageProblem(problem)
    genes = highly_variable(dataset) if schedule == "levels_off" else None
    counts = place_of(dataset.counts) or dataset.counts  # counts on disk are mapped by every worker
    jobs = {f"seed {seed}": Job(counts, genes, dataset.batches, seed, schedule, device) for seed in range(seeds)}

    def make(names: Sequence[str]) -> Iterator[list[npt.NDArray[Any]]]:
        for each in _train_all([jobs[name] for name in names], most_epochs(schedule, dataset.n_cells)):
            yield [each.latent, np.array(each.epochs), *each.encoder]

    done = (parts or Parts()).each(list(jobs), make)
    trained = [Trained(latent, int(epochs), tuple(encoder)) for latent, epochs, *encoder in done]
    notes: Notes = {
        "seeds": list(range(seeds)),
        "genes": dataset.counts.shape[1] if genes is None else len(genes),
        "epochs": [each.epochs for each in trained],
        "stopped": STOPPED[schedule],
        "likelihood": LIKELIHOOD[device],
    }
    if genes is not None:
        keep([genes, *(array for each in trained for array in each.encoder)])
    return [each.latent for each in trained], notes


def project(learnt: Learnt, dataset: Dataset) -> list[npt.NDArray[np.float32]]:
    """Return the posterior means of other counts of the same genes, one float32 (n_cells, 30) a seed.

    Equal to scvi-tools' ``get_latent_representation`` of the same model within 1e-5.
    """
    genes, *weights = learnt
    each_seed = [weights[first : first + N_ARRAYS] for first in range(0, len(weights), N_ARRAYS)]
    counts = [block[:, genes] for _, block in blocks(dataset.counts)]
    return [np.concatenate([encode(seed, block) for block in counts]) for seed in each_seed]


def _train_all(jobs: list[Job], most: int) -> Iterator[Trained]:
    """Train every seed in a process of its own, or here where there are no processes; ``most`` epochs at most."""
    with ExitStack() as held, steps("scvi: training", len(jobs) * most, "epoch") as advance:
        folder = Path(held.enter_context(TemporaryDirectory(prefix="zsgate-scvi-")))
        try:
            pool = held.enter_context(processes(_at_a_time(jobs), _context()))
            marks = {pool.submit(train_marking, job, folder / str(job.seed)): folder / str(job.seed) for job in jobs}
        except NO_PROCESSES:
            yield from (_train_here(job, most, advance) for job in jobs)
            return
        yield from _followed(marks, most, advance)


def _at_a_time(jobs: list[Job]) -> int:
    """Return how many trainings run side by side.

    On a few genes several, each on one thread, for threads do not help such a training: up to twice as many as there
    are cores, so that three keep two cores busy, in rounds of equal size. On all genes, or on a GPU, one.
    """
    if jobs[0].schedule == "paper" or jobs[0].device != "cpu":
        return 1
    rounds = math.ceil(len(jobs) / (2 * share()))
    return math.ceil(len(jobs) / rounds)


def _followed(marks: Mapping[Future[Trained], Path], most: int, advance: Callable[[int], None]) -> Iterator[Trained]:
    """Yield what each training learnt, in order, and advance by the epochs that are done; one that fails ends it."""
    shown, waiting = 0, set(marks)
    for training in marks:
        while training in waiting:
            done, waiting = wait(waiting, LOOK, FIRST_COMPLETED)
            for each in done:
                each.result()
            epochs = sum(most if each.done() else _size(mark) for each, mark in marks.items())
            advance(epochs - shown)
            shown = epochs
        yield training.result()


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _train_here(job: Job, most: int, advance: Callable[[int], None]) -> Trained:
    """Train in this process."""
    with _as_it_was():
        trained = train(job, lambda: advance(1))
    advance(most - trained.epochs)
    return trained


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Put back, when the block ends, what a training changes: threads, random numbers and scvi-tools."""
    import scvi
    import torch

    before = torch.get_num_threads(), scvi.distributions.NegativeBinomial.log_prob, random.getstate()
    of_numpy = np.random.get_state()  # noqa: NPY002 - the one that scvi-tools seeds
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.distributions.Distribution.set_default_validate_args(True)
        scvi.distributions.NegativeBinomial.log_prob = before[1]
        random.setstate(before[2])
        np.random.set_state(of_numpy)  # noqa: NPY002


def _context() -> BaseContext:
    """Return how to start processes: as forks of one that has imported scvi-tools already, where there is fork.

    Linux ends what is tied to its starter when the thread that started it ends, so only the main thread starts a
    server that is.
    """
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    main = threading.current_thread() is threading.main_thread()
    context.set_forkserver_preload(["zsgate.baselines.scvi.server" if main else "zsgate.baselines.scvi.training"])
    return context

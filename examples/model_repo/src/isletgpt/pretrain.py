"""Pretraining by masked expression: some genes of a cell are hidden, and the model is to say how much there was.

    python -m isletgpt.pretrain --out checkpoints/isletgpt.safetensors

The number of steps is fixed, and one thread takes them, so a seed gives the same weights again on the same machine.
``--minutes`` is a cap: where at half of it fewer than half of the steps are done, the learning rate falls with the
time, and training ends with it.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from isletgpt import data
from isletgpt.checkpoint import Checkpoint, Record, save
from isletgpt.model import Network, Output, Shape
from isletgpt.tokens import FIRST_GENE, SCALE, Batch, Cells, Integers, choose_genes, pack, read

N_GENES = 1500
AT_ONCE = 64  # cells of a step
READ = 128  # genes of a cell that a step reads, drawn anew each time
HIDES = (0.1, 0.5)  # share of them that is hidden, drawn anew for each cell
RATE, WARM_UP = 3e-3, 30  # largest learning rate, and the steps until it is reached
SAYS_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Plan:
    """How long to train, and by which random numbers."""

    steps: int = 2000
    minutes: float = 4.0
    seed: int = 0


def pretrain(plan: Plan) -> tuple[Checkpoint, list[float]]:
    """Return a pretrained model and the loss of each step."""
    adata = data.pretraining_cells()
    studies = adata.obs["study"].to_numpy(dtype=str)
    vocabulary = adata.var_names[choose_genes(adata.X, studies, N_GENES)].tolist()
    cells = read(adata.X, adata.var_names.tolist(), vocabulary)
    torch.manual_seed(plan.seed)
    network = Network(Shape(len(vocabulary)))
    network.usual[FIRST_GENE:] = torch.from_numpy(_usual(cells))
    losses, began = [], time.monotonic()
    for loss in _steps(network, cells, plan):
        losses.append(loss)
    record = Record(
        dataset="pancreas_hormone2cell",
        donors=sorted(set(adata.obs["donor"])),
        n_cells=adata.n_obs,
        seed=plan.seed,
        steps=len(losses),
        seconds=round(time.monotonic() - began, 1),
        loss=round(float(np.mean(losses[-50:])), 4),
    )
    return Checkpoint(network.eval(), tuple(vocabulary), record), losses


def _steps(network: Network, cells: Cells, plan: Plan) -> Iterator[float]:
    """Train, yielding the loss of each step; a line every ten seconds says how far it is."""
    chance = np.random.default_rng(plan.seed)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=0.01, betas=(0.9, 0.98), fused=True)
    began = said = time.monotonic()
    recent: float | None = None
    for step, rows in zip(range(plan.steps), _rows(cells, chance), strict=False):
        now = time.monotonic()
        done, spent = step / plan.steps, (now - began) / (60 * plan.minutes)
        if spent > 0.5:  # only then does time count: a machine that is fast enough makes the same weights each time
            done = max(done, spent)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARM_UP) * (1 + math.cos(math.pi * done)) / 2
        batch, target = masked(cells, rows, chance)
        loss = loss_of(network(batch), batch, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        recent = loss.item() if recent is None else 0.95 * recent + 0.05 * loss.item()
        if now - said >= SAYS_EVERY:
            said, left = now, (now - began) * (1 / max(done, spent) - 1)
            print(f"step {step:,} of {plan.steps:,}, loss {recent:.3f}, about {left:.0f} s left", flush=True)
        yield loss.item()


def _rows(cells: Cells, chance: np.random.Generator) -> Iterator[Integers]:
    """Yield the cells of each step without end: all of them once, cells of like length together, then again."""
    lengths = np.minimum(np.diff(cells.counts.indptr), READ)
    while True:
        order = chance.permutation(len(cells))
        pools = [order[start : start + 8 * AT_ONCE] for start in range(0, len(order), 8 * AT_ONCE)]
        sorted_pools = [pool[np.argsort(lengths[pool], kind="stable")] for pool in pools]
        steps = [pool[at : at + AT_ONCE] for pool in sorted_pools for at in range(0, len(pool), AT_ONCE)]
        for step in chance.permutation(len(steps)):
            yield steps[step]


def masked(cells: Cells, rows: Integers, chance: np.random.Generator) -> tuple[Batch, torch.Tensor]:
    """Return cells of which some genes are read and some of these hidden, and the true values of all that are read.

    What is shown is normalised as the gate has it to be: by a sum of counts that the shown ones let one guess.
    """
    part = cells.counts[rows]
    owner = np.repeat(np.arange(len(rows)), np.diff(part.indptr))
    drawn = np.lexsort((chance.random(part.nnz), owner))
    place = np.arange(part.nnz) - np.repeat(part.indptr[:-1], np.diff(part.indptr))
    drawn, owner, place = (each[place < READ] for each in (drawn, owner, place))
    lengths = np.bincount(owner, minlength=len(rows))
    share = chance.uniform(*HIDES, len(rows))
    hidden = place < np.rint(share * lengths)[owner]
    counts = part.data[drawn].astype(np.float64)
    total = cells.total[rows]
    of_shown, of_read = (np.bincount(owner, counts * which, len(rows)) for which in (~hidden, np.ones(len(counts))))
    guessed = (of_shown + (total - of_read) * (1 - share)) / (1 - share)
    values, target = (np.log1p(SCALE * counts / np.maximum(by, 1)[owner]) for by in (guessed, total))
    batch, true = (pack(lengths, part.indices[drawn], each, hidden) for each in (values, target))
    return batch, true.values


def loss_of(output: Output, batch: Batch, target: torch.Tensor) -> torch.Tensor:
    """Return the squared error of both heads on hidden genes, averaged over a cell's genes and then over cells."""
    weight = batch.hidden / batch.hidden.sum(1, keepdim=True).clamp(min=1) / len(target)
    return sum(((head - target) ** 2 * weight).sum() for head in (output.gep, output.gepc)) / 2


def _usual(cells: Cells) -> npt.NDArray[np.float32]:
    """Return how far each gene lies above its cell's mean, on average over the cells that express it."""
    counts = cells.counts
    lengths = np.diff(counts.indptr)
    values = np.log1p(SCALE * counts.data / np.repeat(cells.total, lengths))
    owner = np.repeat(np.arange(len(cells)), lengths)
    above = values - (np.bincount(owner, values, len(cells)) / np.maximum(lengths, 1))[owner]
    weight = 1 / np.maximum(lengths, 1)[owner]
    total, often = (np.bincount(counts.indices, each, counts.shape[1]) for each in (above * weight, weight))
    return np.divide(total, often, out=np.zeros(len(often)), where=often > 0).astype(np.float32)


def main() -> None:
    """Train and write the checkpoint."""
    parser = argparse.ArgumentParser(prog="python -m isletgpt.pretrain", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("checkpoints/isletgpt.safetensors"))
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--minutes", type=float, default=Plan.minutes, help="end after so long, whatever was done")
    parser.add_argument("--seed", type=int, default=Plan.seed)
    given = parser.parse_args()
    torch.set_num_threads(1)  # small layers gain little from more, and lose much where cores are shared
    checkpoint, _ = pretrain(Plan(given.steps, given.minutes, given.seed))
    save(checkpoint, given.out)
    record = checkpoint.record
    print(f"{given.out}: {record.steps:,} steps in {record.seconds:.0f} s, loss {record.loss:.3f}")


if __name__ == "__main__":
    main()

"""Named: the embedding that a plan calls by a name, be it a method's, a control's, or the shuffled rows of either."""

from __future__ import annotations

from zsgate.data.dataset import Dataset
from zsgate.models.embedding import Embedding
from zsgate.run.checks import controls
from zsgate.run.methods import Method
from zsgate.run.run import Run

SHUFFLED = "shuffled rows of "


def method_of(run: Run, name: str) -> Method:
    """Return the candidate, a baseline, the reference or a control by its name."""
    if name == run.candidate.name:
        return run.candidate
    return run.control(name) if name in controls.MAKERS else run.method(name)


def embedding_of(run: Run, who: str, dataset: Dataset) -> Embedding:
    """Return the embedding of a method of the cells that are scored, or of its rows dealt to them at random.

    Raises
    ------
    CandidateFailed, BaselineFailed
        If it cannot be had.
    """
    method = method_of(run, who.removeprefix(SHUFFLED))
    return method.shuffled(dataset) if who.startswith(SHUFFLED) else method.embed(dataset)

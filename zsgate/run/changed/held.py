"""Held: what became of a candidate's rows in other forms of the same cells, from the store if it was seen before."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Protocol

from zsgate.data.dataset import Dataset
from zsgate.errors import CandidateFailed
from zsgate.run import embeddings
from zsgate.run.changed import invariances
from zsgate.run.changed.invariances import Held, Moved
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate, Method
from zsgate.system.processes import time_limit
from zsgate.system.sources import code_of

KIND, STEP = "form", "embed in other forms"  # where it is kept, and what timings and plans call it


class Limits(Protocol):
    """What is asked of a run."""

    @property
    def ledger(self) -> Ledger:
        """Where what is made is kept."""
        ...

    def limit(self, method: Method) -> float | None:
        """Return how many seconds a method may take."""
        ...


def held(run: Limits, candidate: Candidate, dataset: Dataset) -> list[Held]:
    """Return how far the candidate's rows moved in each form of the same cells; what fails is looked at again.

    Raises
    ------
    CandidateFailed
        If a row moved too far, or the candidate fails.
    """
    started = time.perf_counter()

    def compute() -> list[Mapping[str, Any]]:
        return [asdict(each) for each in invariances.check(candidate.model, dataset)]

    try:
        with time_limit(run.limit(candidate), "embedding few cells in other forms"):
            key, lasts = key_of(candidate, dataset, run.ledger)
            store = run.ledger.store(lasts=lasts)
            cached = store.has(KIND, key, ".json")
            found = [Held(**each) for each in store.json(KIND, key, compute)]
    except KeyboardInterrupt:
        raise
    except Moved as moved:
        msg = f"on {dataset.name} {moved}"
        raise CandidateFailed(msg) from None
    except BaseException as error:  # the boundary to code that is not ours: any failure, or exit, has an owner
        failure = candidate.failed(f"on {dataset.name}", error)
        raise failure from error
    run.ledger.timed(STEP, dataset.name, started, cached=cached)
    return found


def key_of(candidate: Candidate, dataset: Dataset, ledger: Ledger) -> tuple[dict[str, Any], bool]:
    """Return (what decides it, whether later runs may be served the same)."""
    key, lasts = embeddings.key_of_model(candidate.name, candidate.model, dataset, ledger)
    return {**key, "forms": code_of(invariances.__name__)}, lasts

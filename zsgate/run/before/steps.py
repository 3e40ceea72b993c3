"""Steps: what a run makes, each once, and the plan that they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BASE_MEMORY = 600_000_000  # bytes of Python, torch and compiled loops
MEMORY_OF_A_CELL = 40_000  # bytes: counts as read and as kept, 2,000 genes as an array, an embedding


@dataclass(frozen=True, slots=True)
class Asked:
    """What a test asks for, by name; empty where it does not ask for one."""

    suite: str
    dataset: str
    control: str = ""
    baseline: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a run makes once.

    Attributes
    ----------
    what
        As the timings of a run name it.
    dataset
        Of which dataset.
    rate
        Name of its rate.
    units
        How many of what its rate is for; None where the number of cells is not known.
    kept
        Whether it is in the store.
    times
        How often it is made: trainings, untrained twins.
    seconds
        About how long it takes; None where nobody knows. 0 of what is kept.
    measured
        Whether an earlier run on this machine says so.
    """

    what: str
    dataset: str
    rate: str
    units: float | None
    kept: bool
    times: int = 1
    seconds: float | None = None
    measured: bool = False


@dataclass(frozen=True, slots=True)
class Size:
    """How many cells of a dataset are scored, and how many its file has; None where nobody knows."""

    scored: int | None
    of: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do.

    Attributes
    ----------
    asked
        What each selected test asks for.
    sizes
        Of the datasets, by name.
    steps
        In the order of datasets.
    downloads
        (name, bytes or None) of the files that are not here.
    """

    asked: tuple[Asked, ...]
    sizes: Mapping[str, Size]
    steps: tuple[Step, ...]
    downloads: tuple[tuple[str, int | None], ...]

    @property
    def ahead(self) -> list[Step]:
        """What is still to be made."""
        return [step for step in self.steps if not step.kept]

    def steps_of(self, dataset: str) -> list[Step]:
        """Return the steps on one dataset."""
        return [step for step in self.steps if step.dataset == dataset]

    @property
    def seconds(self) -> float:
        """About how long the steps take whose time is known."""
        return sum(step.seconds or 0.0 for step in self.ahead)

    @property
    def memory(self) -> int:
        """About how many bytes the run needs at most."""
        return BASE_MEMORY + MEMORY_OF_A_CELL * max((size.scored or 0 for size in self.sizes.values()), default=0)

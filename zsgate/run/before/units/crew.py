"""Crew: has others do the units of a run, each as soon as what it needs is there, before the tests ask for them.

Tests decide nothing differently: they find in the store what was done, and do what was not, as they would alone. A unit
that failed is theirs to fail at again, with the words that belong to it.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace

from zsgate.errors import UsageProblem, in_words
from zsgate.metrics.cache import MANY
from zsgate.run.before import plan
from zsgate.run.before.steps import Asked
from zsgate.run.before.units.named import SHUFFLED, embedding_of
from zsgate.run.before.units.unit import EMBEDDING, IN_PARTS, PASS, SCORE, Unit
from zsgate.run.before.units.worker import SIGN, Done, Setting, do
from zsgate.run.checks import controls
from zsgate.run.run import Run
from zsgate.system.files import make_folder
from zsgate.system.parallel.parts import listed
from zsgate.system.progress import steps

LOOK = 1.0  # seconds from one look at the clock to the next, where there is an end
Chain = Iterator[list[Unit]]  # units that can be done at the same time, then those that need them, and so on


@dataclass
class Crew:
    """Those who do units.

    Parameters
    ----------
    run
        The run.
    setting
        What a process must know of it.
    executor
        Hands units to processes.

    Attributes
    ----------
    done
        How many units were done.
    seconds
        That they took, by step, whose, and dataset.
    failed
        Why units could not be done, in words, each once.
    """

    run: Run
    setting: Setting
    executor: Executor
    done: int = 0
    seconds: defaultdict[tuple[str, str, str], float] = field(default_factory=lambda: defaultdict(float))
    failed: dict[str, None] = field(default_factory=dict)

    def greet(self) -> None:
        """See that others can do anything for this run.

        Raises
        ------
        UsageProblem
            If they cannot, and why.
        """
        scratch = self.run.ledger.scratch.folder
        make_folder(scratch)
        (scratch / SIGN).touch()
        found = self.executor.submit(do, self.setting, None).result()
        if found.failed:
            msg = f"--cluster {self.run.config.cluster}: {found.failed}"
            raise UsageProblem(msg)

    def carry_out(self, asked: Sequence[Asked], seconds: float | None = None) -> None:
        """Have all units done that some tests need; those that fail end what needs them.

        Parameters
        ----------
        asked
            What the tests ask for.
        seconds
            That this may take; None sets no end.

        Raises
        ------
        Exception
            Whatever the executor raises when it has lost its processes for good.
        """
        ends = None if seconds is None else time.monotonic() + seconds
        begun: dict[Future[Done], tuple[Unit, list[int], Chain]] = {}

        def go_on(chain: Chain) -> None:
            units = self._next(chain)
            left = [len(units)]
            begun.update({self.executor.submit(do, self.setting, unit): (unit, left, chain) for unit in units})

        with steps(f"{self.run.config.cluster}: units of work", None, "unit") as advance:
            for chain in self._chains(asked):
                go_on(chain)
            while begun and (ends is None or time.monotonic() < ends):
                ended, _ = wait(begun, None if ends is None else LOOK, FIRST_COMPLETED)
                for future in ended:
                    unit, left, chain = begun.pop(future)
                    left[0] -= 1
                    advance(1)
                    if not self._note(unit, future.result()):
                        left[0] = -1  # who needs it fails as well
                    elif not left[0]:
                        go_on(chain)

    def _next(self, chain: Chain) -> list[Unit]:
        """Return what of a chain can be done now; nothing if what it goes on with cannot even be told."""
        try:
            return next(filter(None, chain), [])
        except Exception as error:  # the boundary to code that is not ours: its test will say what is wrong
            self.failed[in_words(error)] = None
            return []

    def _note(self, unit: Unit, found: Done) -> bool:
        """Take down what became of a unit, and return whether it was done."""
        if found.failed:
            self.failed[f"{unit}: {found.failed}"] = None
            return False
        self.done += 1
        self.seconds[unit.step, unit.who, unit.dataset] += found.seconds
        return True

    def _chains(self, asked: Sequence[Asked]) -> Iterator[Chain]:
        for name in self.run.sources:
            who, scored = plan.needs(self.run, name, [each for each in asked if each.dataset == name])
            for each in who:
                yield self._chain(name, each, {of: metrics for of, metrics in scored.items() if _source(of) == each})

    def _chain(self, dataset: str, who: str, scored: dict[str, list[str]]) -> Chain:
        """Yield the units of an embedding and of the scores that are made of it."""
        whole = Unit(EMBEDDING, dataset, who)
        yield from self._of(whole)
        if self.run.dataset(dataset).n_cells >= MANY:
            for step, needed_by in IN_PARTS.items():
                some = [of for of, metrics in scored.items() if set(metrics) & set(needed_by)]
                wholes = [each for of in some for each in self._wholes(step, dataset, of)]
                found = [list(self._of(each)) for each in wholes]
                yield [unit for stages in found for unit in stages[0] if len(stages) > 1]
                yield wholes
        yield [Unit(SCORE, dataset, of, metrics=tuple(metrics)) for of, metrics in scored.items()]

    def _wholes(self, step: str, dataset: str, who: str) -> Iterator[Unit]:
        n_draws = len(embedding_of(self.run, who, self.run.dataset(dataset)).draws) if step == PASS else 1
        yield from (Unit(step, dataset, who, draw=draw) for draw in range(n_draws))

    def _of(self, whole: Unit) -> Chain:
        """Yield the parts of a unit, if it has several, then the unit."""
        parts = listed(whole.step, whole.work(self.run)) if whole.has_parts(self.run) else []
        if len(parts) > 1:
            yield [replace(whole, part=part) for part in parts]
        yield [whole]


def _source(who: str) -> str:
    """Return of whose embedding another one is made."""
    base = who.removeprefix(SHUFFLED)
    return "pca" if base in controls.MAKERS else base

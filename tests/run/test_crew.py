"""Crew: who does units, and what of them goes on when some cannot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

from zsgate.config.config import Config
from zsgate.run.before.steps import Asked
from zsgate.run.before.units.crew import Chain, Crew
from zsgate.run.before.units.unit import EMBEDDING, Unit
from zsgate.run.before.units.worker import Done, Setting
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.store import Store


class _Threads(ThreadPoolExecutor):
    """Threads here, which note whose embedding they are asked for instead of making it."""

    def submit(self, function, setting, unit):
        """Do a unit."""
        del function, setting
        return super().submit(lambda: Done(0.1, "out of luck" if unit.who == "unlucky" else ""))


class _Planned(Crew):
    """A crew whose plan is given."""

    def _chains(self, asked: Sequence[Asked]) -> Iterator[Chain]:
        del asked
        yield self._fails_to_tell()
        yield iter([[Unit(EMBEDDING, "cells", "unlucky")], [Unit(EMBEDDING, "cells", "never")]])
        yield iter([[Unit(EMBEDDING, "cells", "pca")], [], [Unit(EMBEDDING, "cells", "hvg")]])

    def _fails_to_tell(self) -> Chain:
        yield [Unit(EMBEDDING, "cells", "scvi")]
        msg = "no parts to be had"
        raise RuntimeError(msg)


@pytest.fixture
def executor() -> Iterator[Executor]:
    """Return who does units."""
    with _Threads(2) as threads:
        yield threads


def test_what_fails_ends_what_needs_it_and_nothing_else(tmp_path: Path, executor: Executor) -> None:
    """Whether it is a unit, or the question of which parts there are that come next."""
    config = Config(model="own:model", cluster="local:2", cache=tmp_path)
    run = Run(config, tmp_path, Ledger(Store(tmp_path), Store(tmp_path / "runs")))
    crew = _Planned(run, Setting(config, tmp_path, "this", "code"), executor)
    crew.carry_out([])
    assert sorted(who for _, who, _ in crew.seconds) == ["hvg", "pca", "scvi"]
    assert sorted(crew.failed) == ["RuntimeError: no parts to be had", "embedding of unlucky on cells: out of luck"]

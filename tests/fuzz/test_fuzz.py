"""Malformed input of every kind: read with right numbers, or refused in one sentence.

``-m fuzz`` runs 4,000 fresh cases a kind; a failure prints what to decorate ``holds`` with to see it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from malformed.child import IN_MEMORY, Child, answer
from malformed.kind import Kind, Lost
from malformed.kinds import KINDS

RULES = settings(database=None, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
SOME = settings(RULES, max_examples=100, derandomize=True)
MANY = settings(RULES, max_examples=4000, derandomize=False, phases=(Phase.generate, Phase.shrink))


@pytest.fixture(scope="module")
def child() -> Iterator[Child]:
    """Return a process for what may crash."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        child = Child(Path(folder))
        yield child
        child.close()


@pytest.mark.parametrize(
    "rules", [pytest.param(SOME, id="some"), pytest.param(MANY, id="many", marks=pytest.mark.fuzz)]
)
@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_whatever_is_read_is_right_or_refused(kind: Kind, rules: settings, child: Child) -> None:
    """No traceback, no crash, no end of more than 30 s, no wrong number."""

    @rules
    @given(kind.cases())
    def holds(case: object) -> None:
        if kind.apart:
            child.check(kind, case)
        elif said := answer(kind, case, IN_MEMORY)[1]:
            raise Lost(said)

    holds()

"""The harness of faults: a few of its real runs, more where minutes do not count, and what it would notice."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.faults import __main__ as faults
from benchmarks.faults.gate import Ended
from benchmarks.faults.promises import broken, claims_nothing
from benchmarks.faults.scenario import Bench, Scenario, Try

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found as Linux shows them")
QUICK = ("machine: all three closed", "candidate: crashes once")
BY_NAME = {scenario.name: scenario for scenario in faults.SCENARIOS}
OTHERS = sorted(BY_NAME.keys() - {*QUICK})


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Return where runs are made."""
    made = Bench(tmp_path_factory.mktemp("faults"))
    yield made
    made.clear()


def _tried(bench: Bench, name: str) -> None:
    row = faults.tried(bench, BY_NAME[name])
    if row.missing:
        pytest.skip(row.missing)
    assert row.tries
    assert [each for each in row.tries if each.broken] == []


@pytest.mark.parametrize("name", QUICK)
def test_a_run_survives(bench: Bench, name: str) -> None:
    """Seconds each: the harness cannot rot."""
    _tried(bench, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS[::5])
def test_more_runs_survive(bench: Bench, name: str) -> None:
    """One in five of the others, of every kind."""
    _tried(bench, name)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", [name for place, name in enumerate(OTHERS) if place % 5])
def test_every_run_survives(bench: Bench, name: str) -> None:
    """Every promise is kept in every try."""
    _tried(bench, name)


def test_scenarios_have_names_of_their_own() -> None:
    """So that each can be asked for alone."""
    assert len(BY_NAME) == len(faults.SCENARIOS)
    assert all(faults.chosen([name])[0].name.startswith(name) for name in BY_NAME)
    assert faults.chosen(["no such"]) == []


def _ended(folder: Path, code: int | None, gate: str, *, passed: bool = True, err: str = "", left: tuple = ()) -> Ended:
    folder.mkdir(exist_ok=True)
    verdicts = [{"passed": passed, "advisory": False}] if gate != "running" else []
    (folder / "verdict.json").write_text(json.dumps({"gate": gate, "verdicts": verdicts}))
    (folder / "index.html").write_text(gate.upper())
    return Ended(code, 1.0, "", err, left, folder)


BROKEN = {
    "it hangs": {"code": None, "gate": "running"},
    "left behind: sleep": {"code": 0, "gate": "passed", "left": ("sleep",)},
    "exit 0, and verdict.json says running": {"code": 0, "gate": "running"},
    "exit 0, and verdict.json says passed": {"code": 0, "gate": "passed", "passed": False},
    "exit 3, and verdict.json says passed": {"code": 3, "gate": "passed"},
    "exit 1 where 0 or 3 is right": {"code": 1, "gate": "lost"},
    "exit 3 and lost verdict.json": {"code": 3, "gate": "lost"},
    "nothing says 'disk'": {"code": 3, "gate": "broke"},
    "a traceback is the last word": {
        "code": 3,
        "gate": "broke",
        "err": "disk Traceback (most recent call last)\nOSError",
    },
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_promise_is_noticed(tmp_path: Path, said: str) -> None:
    """Each in its words; a run that keeps them all is not blamed."""
    assert any(each.startswith(said) for each in broken(_ended(tmp_path, **BROKEN[said]), 0, 3, says="disk"))
    assert broken(_ended(tmp_path, 0, "passed"), 0, 3, says="disk") == ()
    assert broken(_ended(tmp_path, 3, "broke", err="the disk is full"), 0, 3, says="disk") == ()


def test_pages_of_a_killed_run_are_held_against_an_undisturbed_one(tmp_path: Path) -> None:
    """What says "passed" is right only where it says what the undisturbed run says."""
    calm = _ended(tmp_path / "calm", 0, "passed")
    assert list(claims_nothing(_ended(tmp_path / "late", -9, "passed"), calm)) == []
    assert list(claims_nothing(_ended(tmp_path / "early", -9, "passed", passed=False), calm)) != []


def test_what_cannot_be_tried_is_lost(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Its row counts it, and what the machine lacks is no loss."""

    def tries(_: Bench) -> Iterator[Try]:
        yield Try("first", ())
        msg = "no such thing"
        raise OSError(msg)

    row = faults.tried(bench, Scenario("a", tries))
    assert row.words().startswith("| a | 2 | 1 | 1 |")
    lacking = faults.tried(bench, Scenario("b", tries, lambda: "needs a lake"))
    assert (lacking.words(), lacking.lost) == ("| b | not tried: needs a lake | | | |", [])

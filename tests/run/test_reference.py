"""Reference: what an earlier run recorded is taken as it is, or refused before anything runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

import zsgate
from zsgate.config.config import Config
from zsgate.errors import UsageProblem
from zsgate.metrics import METRICS
from zsgate.report.record import DatasetRecord, GateState, Provenance, RecipeRecord, Record, ScoreRecord
from zsgate.run.ledger import Ledger
from zsgate.run.methods import Candidate
from zsgate.run.reference import Reference, load_reference
from zsgate.run.run import Run
from zsgate.system.store import Store
from zsgate.verdict.recipe import DEFAULT

DONORS = tuple(f"donor {number}" for number in range(6))
SCORE = ScoreRecord(
    dataset="lab",
    metric="asw",
    value=0.5,
    draws=(0.4, 0.6),
    leave_outs=(0.50, 0.52, 0.47, 0.51, 0.55, None),
    units=DONORS,
    cells="then",
    recipe=str(DEFAULT),
    unit_halves=((0.5, None),),
    balanced=0.49,
)
RECORD = Record(
    gate=GateState.PASSED,
    model="models:old",
    recipe=RecipeRecord(id=DEFAULT.id, hash=DEFAULT.hash),
    scores=(SCORE,),
    datasets=(DatasetRecord(name="lab", n_cells=240),),
    provenance=Provenance(zsgate=zsgate.__version__, started="2026-11-22T14:00:00+00:00"),
)
# the words with which each of the damaged files is refused
DAMAGED = {
    "verdict_deep.json": "no verdict.json of zsgate",
    "verdict_draws_empty.json": "the score of asw on heart is damaged: it has no draws",
    "verdict_leave_out_text.json": "no verdict.json of zsgate (ValidationError: Expected `float | null`, got `str`",
    "verdict_units_short.json": "the score of asw on heart is damaged: 20 leave-outs for 19 units",
    "verdict_value_below_draws.json": "the score of asw on heart is damaged: its value is -5 and the mean of its draws",
}


@pytest.fixture
def against(tmp_path: Path) -> Callable[..., Reference]:
    """Return what loads an earlier run's record from the file ``old.json``, or from another one."""

    def against(content: str | bytes | None = None, path: str = "old.json") -> Reference:
        if content is not None:
            (tmp_path / path).write_bytes(content.encode() if isinstance(content, str) else content)
        config = Config(model="mine", against=path)
        run = Run(config, tmp_path, Ledger(Store(tmp_path / "store"), Store(tmp_path / "run")))
        return load_reference(Candidate("mine", run, model=SimpleNamespace()), config, tmp_path, run.ledger)

    return against


def with_score(**changed: Any) -> str:
    """Return a record whose second score is changed; the first one is sound."""
    fields = json.loads(RECORD.to_json())
    (sound,) = fields["scores"]
    return json.dumps({**fields, "scores": [{**sound, "metric": "nmi"}, {**sound, **changed}]})


def with_field(field: str, text: str) -> str:
    """Return a record with one more field, whose value is that JSON text."""
    return RECORD.to_json().rstrip().removesuffix("}") + f', "{field}": {text}}}'


def test_a_sound_record_is_taken_as_it_is(against: Callable[..., Reference]) -> None:
    """Every number of the score, null being NaN, under the model's name and the day of the run."""
    found = against(RECORD.to_json())
    score = found.score(METRICS["asw"], SimpleNamespace(name="lab"))  # type: ignore[arg-type]
    assert (found.name, found.model, found.past.remark) == ("models:old@2026-11-22", None, "")
    assert (score.value, score.draws, score.units, score.balanced) == (0.5, (0.4, 0.6), DONORS, 0.49)
    assert (score.metric, score.cells, score.recipe, score.n_effective) == ("asw", "then", str(DEFAULT), None)
    assert score.leave_outs[:5] == SCORE.leave_outs[:5]
    assert math.isnan(score.leave_outs[5])
    assert math.isnan(score.unit_halves[0][1])
    assert found.past.facts["lab"].n_cells == 240


def test_a_score_that_was_not_defined_stays_so(against: Callable[..., Reference]) -> None:
    """Its draws and value are null; nothing follows from it, and nothing is wrong with it."""
    found = against(with_score(value=None, draws=[None, 0.6]))
    assert math.isnan(found.past.scores["lab", "asw"].value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"gate": GateState.BROKE}, "The run that recorded the scores of models:old broke"),
        ({"gate": GateState.INTERRUPTED}, "The run that recorded the scores of models:old was interrupted"),
        ({"provenance": Provenance(zsgate="0.0.1")}, "Scores of models:old are those of zsgate 0.0.1"),
    ],
)
def test_what_weakens_a_comparison_is_said(
    against: Callable[..., Reference], changed: dict[str, Any], words: str
) -> None:
    """A run that did not end well, or of another version, can be compared with; the page says so."""
    assert words in against(msgspec.structs.replace(RECORD, **changed).to_json()).past.remark


@pytest.mark.parametrize("name", DAMAGED)
def test_each_of_the_damaged_files_is_refused(against: Callable[..., Reference], shared_data: Path, name: str) -> None:
    """In one sentence that names the file and the fault."""
    with pytest.raises(UsageProblem) as refused:
        against(path=str(shared_data / "cases" / name))
    assert str(refused.value).startswith(f"--against {shared_data / 'cases' / name}: ")
    assert DAMAGED[name] in str(refused.value)


def test_no_damaged_file_is_left_out(shared_data: Path) -> None:
    """One that is added to the folder must be refused as well."""
    assert {path.name for path in (shared_data / "cases").glob("verdict_*.json")} == set(DAMAGED)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"leave_outs": SCORE.leave_outs[:-1]}, "5 leave-outs for 6 units"),
        ({"leave_outs": []}, "0 leave-outs for 6 units"),
        ({"units": DONORS[:-1]}, "6 leave-outs for 5 units"),
        ({"draws": []}, "it has no draws"),
        ({"value": 0.51}, "its value is 0.51 and the mean of its draws is not"),
        ({"draws": [0.4, 0.4]}, "its value is 0.5 and the mean of its draws is not"),
        ({"value": -0.5}, "its value is -0.5 and the mean of its draws is not"),
        ({"value": None}, "its value is nan and the mean of its draws is not"),
        ({"draws": [0.4, None]}, "its value is 0.5 and the mean of its draws is not"),
        ({"draws": [1.7e308, 1.7e308], "value": 1.7e308}, "and the mean of its draws is not"),
    ],
)
def test_a_score_that_does_not_follow_from_its_parts_is_refused(
    against: Callable[..., Reference], changed: dict[str, Any], words: str
) -> None:
    """Its interval would be that of other numbers."""
    with pytest.raises(UsageProblem, match="the score of asw on lab is damaged: ") as refused:
        against(with_score(**changed))
    assert words in str(refused.value)


def test_two_scores_by_one_metric_are_refused(against: Callable[..., Reference]) -> None:
    """Which of them is meant is not known; the second one was taken."""
    twice = msgspec.structs.replace(RECORD, scores=(SCORE, msgspec.structs.replace(SCORE, value=0.4, draws=(0.4,))))
    with pytest.raises(UsageProblem, match="damaged: it holds two scores by one metric on one dataset"):
        against(twice.to_json())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="nothing"),
        pytest.param("no JSON", id="no JSON"),
        pytest.param(b"\x89HDF\r\n\x1a\n", id="another format"),
        pytest.param(RECORD.to_json().encode("utf-16"), id="another encoding"),
        pytest.param(RECORD.to_json()[:-20], id="half a file"),
        pytest.param(RECORD.to_json() * 2, id="two records"),
        pytest.param("[]", id="a list"),
        pytest.param("null", id="null"),
        pytest.param('{"name": "no verdict"}', id="another object"),
        pytest.param(RECORD.to_json().replace("zsgate.verdict/1", "zsgate.verdict/2"), id="another version"),
        pytest.param(with_score(value="0.5"), id="a value as text"),
        pytest.param(with_score(draws=0.5), id="draws without a list"),
        pytest.param(with_score(leave_outs=[0.5] * 5 + ["0.5"]), id="a leave-out as text"),
        pytest.param(with_score(unit_halves=[[0.5]]), id="half of two halves"),
        pytest.param(with_score(value=math.nan), id="NaN"),
        pytest.param(with_score().replace("0.52", "1e999"), id="a number beyond floats"),
        pytest.param(with_field("later", "[" * 100_000 + "]" * 100_000), id="deep nesting in a field of tomorrow"),
        pytest.param(with_field("later", '{"a":' * 100_000 + "1" + "}" * 100_000), id="deep objects"),
        pytest.param(with_field("later", "[" * 100_000), id="deep nesting that does not end"),
        pytest.param(with_field("recipe", '{"settings": {"a": ' + "[" * 900 + "]" * 900 + "}}"), id="deep settings"),
    ],
)
def test_what_is_no_record_is_refused(against: Callable[..., Reference], content: str | bytes) -> None:
    """Whatever is wrong with the file, it is a sentence that names it."""
    with pytest.raises(UsageProblem, match=r"^--against .*old\.json: no verdict\.json of zsgate \("):
        against(content)


def test_a_folder_and_nothing_are_refused(against: Callable[..., Reference], tmp_path: Path) -> None:
    """A path that ends like a record is meant as one."""
    (tmp_path / "folder.json").mkdir()
    for path in ("folder.json", "absent.json"):
        with pytest.raises(UsageProblem, match=rf"^--against .*{path}: no verdict\.json of zsgate \("):
            against(path=path)


def test_another_recipe_is_refused(against: Callable[..., Reference]) -> None:
    """Scores of other choices are never compared, though they have the name of this run's."""
    other = msgspec.structs.replace(RECORD, recipe=RecipeRecord(id=DEFAULT.id, hash="00000000"))
    with pytest.raises(UsageProblem) as refused:
        against(other.to_json())
    assert str(refused.value).endswith(f"recipe default:00000000, this run's is {DEFAULT}; they are not comparable")


def test_a_record_without_scores_is_refused(against: Callable[..., Reference]) -> None:
    """There is nothing to compare with; a run that was interrupted early leaves one."""
    with pytest.raises(UsageProblem, match="it holds no scores; judge that model again"):
        against(msgspec.structs.replace(RECORD, scores=()).to_json())

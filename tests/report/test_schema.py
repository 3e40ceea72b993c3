"""The schema of verdict.json: made from the types, and fitted by every record that is written."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from made_records import sample

from zsgate import report
from zsgate.report import schema
from zsgate.report.record import GateState, Record, deciding

SCHEMA = json.loads(resources.files("zsgate.report").joinpath("verdict.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def plain(record: Record) -> Any:
    """Return a record as a reader of verdict.json has it."""
    return json.loads(record.to_json())


def test_the_file_is_what_the_types_say() -> None:
    """Whoever changes a type runs ``python -m zsgate.report.schema``."""
    assert schema.PATH.read_text(encoding="utf-8") == schema.text()


def test_schema_is_a_schema() -> None:
    """The schema itself is valid draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_everything_is_described() -> None:
    """Every record and every field says what it holds."""
    for kind in SCHEMA["$defs"].values():
        assert kind["description"]
        assert all(field["description"] for field in kind.get("properties", {}).values())


def test_record_fits_schema(any_record: Record, tmp_path: Path) -> None:
    """What is written fits the schema and is read again as it was."""
    report.write(any_record, tmp_path)
    text = (tmp_path / "verdict.json").read_text(encoding="utf-8")
    VALIDATOR.validate(json.loads(text))
    assert Record.of_json(text) == any_record


@pytest.mark.parametrize("gate", GateState)
def test_every_gate_fits(gate: GateState) -> None:
    """A run that has hardly begun, or could not, has a record too."""
    VALIDATOR.validate(plain(Record(gate=gate, model="cellama")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("gate",), "failed"),
        (("schema",), "zsgate.verdict/2"),
        (("verdicts", 0, "outcome"), "error"),
        (("verdicts", 0, "ci"), [0.1]),
        (("verdicts", 0, "p"), 1.5),
        (("verdicts", 0, "passed"), None),
        (("controls", 0, "expected"), "wins"),
    ],
)
def test_schema_refuses(path: tuple[Any, ...], value: Any) -> None:
    """The schema refuses unknown gates, outcomes and versions, half intervals and impossible p-values."""
    made = plain(sample())
    entry: Any = made
    for step in path[:-1]:
        entry = entry[step]
    entry[path[-1]] = value
    assert not VALIDATOR.is_valid(made)


def test_schema_needs_every_key() -> None:
    """A record or verdict without one of its keys does not fit."""
    made = plain(sample())
    for key in made:
        assert not VALIDATOR.is_valid({name: value for name, value in made.items() if name != key})
    first, *rest = made["verdicts"]
    for key in first:
        less = {name: value for name, value in first.items() if name != key}
        assert not VALIDATOR.is_valid({**made, "verdicts": [less, *rest]})


def test_later_versions_may_say_more() -> None:
    """A key that this version does not know fits, and is passed over when the file is read."""
    made = plain(sample())
    made["verdicts"][0]["later"] = 1
    VALIDATOR.validate(made)
    assert deciding(Record.of_json(json.dumps(made)).verdicts) == list(sample().verdicts)

"""The record: strict JSON, a schema it fits, files that are whole; the sentence why."""

from __future__ import annotations

import json
import math
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import broken, empty, sample, verdict
from parsed import Page

from zsgate import report
from zsgate.report.page.html import render
from zsgate.report.record import complete
from zsgate.report.sentence import headline

SCHEMA = json.loads(resources.files("zsgate.report").joinpath("verdict.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def refuse(constant: str) -> None:
    raise AssertionError(constant)


def written(record: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Write the report and return verdict.json as a strict parser reads it."""
    report.write(record, folder)
    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_schema_is_a_schema() -> None:
    """The schema itself is valid draft 2020-12."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_record_fits_schema(any_record: dict[str, Any], tmp_path: Path) -> None:
    """What is written fits the schema, and so does what was handed in."""
    VALIDATOR.validate(any_record)
    VALIDATOR.validate(written(any_record, tmp_path))


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
def test_schema_refuses(record: dict[str, Any], path: tuple[Any, ...], value: Any) -> None:
    """The schema refuses unknown gates, outcomes and versions, half intervals and impossible p-values."""
    entry: Any = record
    for step in path[:-1]:
        entry = entry[step]
    entry[path[-1]] = value
    assert not VALIDATOR.is_valid(record)


def test_schema_needs_every_key(record: dict[str, Any]) -> None:
    """A record or verdict without one of the keys that users rely on does not fit."""
    for key in list(record):
        assert not VALIDATOR.is_valid({name: value for name, value in record.items() if name != key})
    first, *rest = record["verdicts"]
    for key in first:
        less = {name: value for name, value in first.items() if name != key}
        assert not VALIDATOR.is_valid({**record, "verdicts": [less, *rest]})


def test_nan_becomes_null(tmp_path: Path) -> None:
    """NaN and infinities are null in verdict.json, at any depth, and a dash on the page."""
    record = sample()
    record["verdicts"][0].update(ours=math.nan, difference=math.inf, ci=[math.nan, -math.inf], p=math.nan, se=math.nan)
    record["recipe"]["settings"]["deep"] = [(math.nan, {"x": math.inf})]
    got = written(record, tmp_path)
    assert [got["verdicts"][0][key] for key in ("ours", "difference", "p", "se")] == [None] * 4
    assert got["verdicts"][0]["ci"] == [None, None]
    assert got["recipe"]["settings"]["deep"] == [[None, {"x": None}]]
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert not re.search(r"\b(NaN|nan|inf|None|null)\b", page.text)


def test_numpy_numbers_are_numbers(tmp_path: Path) -> None:
    """NumPy's integers and floats are written as numbers; what is no builtin is refused and its place named."""
    record = sample()
    record["verdicts"][0].update(n_units=np.int64(20), ours=np.float32(0.5))
    assert written(record, tmp_path)["verdicts"][0]["ours"] == 0.5
    record["provenance"]["path"] = tmp_path
    with pytest.raises(TypeError, match=r"record\['provenance'\]\['path'\] is a PosixPath|WindowsPath"):
        report.write(record, tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4))
def test_anything_becomes_strict_json(extra: dict[str, Any]) -> None:
    """Any further keys survive as strict JSON in UTF-8, and completing twice changes nothing."""
    whole = complete({**empty(), "provenance": extra})
    text = json.dumps(whole, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode()) == whole
    assert complete(whole) == whole


def test_missing_keys_do_not_lose_the_page() -> None:
    """After hours of computing, a key that somebody forgot costs its words, not the page."""
    bare = {key: [{}] for key in ("verdicts", "controls", "failures", "not_tested", "datasets", "metrics", "timings")}
    assert "index" not in render({})
    assert "<h1>cellama</h1>" in render({"model": "cellama", "model_card": {}, "recipe": None, **bare})


def test_files_are_replaced_whole(record: dict[str, Any], tmp_path: Path) -> None:
    """A second run replaces both files, leaves nothing else behind, and a failure keeps what was there."""
    page = report.write(empty(), tmp_path / "a" / "b")
    assert page == tmp_path / "a" / "b" / "index.html"
    report.write(record, page.parent)
    before = page.read_bytes()
    assert b"12 lost" in before
    with pytest.raises(TypeError):
        report.write({**record, "model": object()}, page.parent)
    assert page.read_bytes() == before
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "verdict.json"]


def test_headline_of_a_lost_gate(record: dict[str, Any]) -> None:
    """A lost gate names the baselines not beaten and counts passed, lost and inconclusive."""
    assert headline(record) == (
        "cellama does not beat hvg, pca, scvi and random_init: 3 of 20 tests passed, 12 lost, 5 inconclusive "
        "on pancreas_quick."
    )


def test_headline_of_a_passed_gate(record: dict[str, Any]) -> None:
    """A passed gate names every baseline beaten; another policy has another verb."""
    record["gate"] = "passed"
    for entry in record["verdicts"]:
        entry.update(passed=True, outcome="beats")
    assert headline(record).startswith("cellama beats hvg, pca, scvi and random_init: all 20 tests passed on")
    for entry in record["verdicts"]:
        entry["policy"] = "noninferior"
    assert headline(record).startswith("cellama is not inferior to hvg")
    record["verdicts"][0]["policy"] = "point"
    assert headline(record).startswith("cellama meets the terms set against hvg")


def test_headline_of_an_inconclusive_gate(record: dict[str, Any]) -> None:
    """An inconclusive gate is never called lost."""
    record["gate"] = "inconclusive"
    record["verdicts"] = [v for v in record["verdicts"] if v["outcome"] != "loses"]
    sentence = headline(record)
    assert sentence.startswith("cellama cannot be told apart from random_init and scvi: 3 of 8 tests passed, 5 inconc")
    assert "lost" not in sentence


def test_headline_of_a_broken_gate() -> None:
    """A broken gate claims nothing about the model and names what broke."""
    sentence = headline(broken())
    assert sentence.startswith("The gate broke, so nothing is claimed about cellama: 1 control failed (shuffled), ")
    assert "1 baseline error and 1 internal error" in sentence


def test_headline_when_nothing_was_judged() -> None:
    """Without a verdict nothing is claimed, whatever the gate."""
    for gate in ("passed", "lost", "inconclusive", "broke"):
        assert "nothing is claimed about cellama" in headline({**empty(), "gate": gate})


def test_headline_of_a_candidate_that_failed(record: dict[str, Any]) -> None:
    """A candidate whose output is unusable is named as the cause, not as a loss to anybody."""
    record["failures"] = [
        {"nodeid": v["nodeid"], "what": "candidate", "dataset": v["dataset"], "metric": v["metric"],
         "baseline": v["baseline"], "message": "cellama gave NaN"} for v in record["verdicts"]
    ]  # fmt: skip
    record["verdicts"] = []
    assert headline(record).startswith("cellama gave no usable output in 20 tests: 0 of 20 tests passed, 20 errors")


def test_counts_add_up(any_record: dict[str, Any]) -> None:
    """The total in the sentence is the number of verdicts and of tests that ended without one."""
    n = len(any_record["verdicts"]) + sum(f["what"] != "control" for f in any_record["failures"])
    assert n == 0 or f"of {n} tests passed" in headline(any_record)


def test_sentence_is_one_line() -> None:
    """A line break in a name cannot start a second line."""
    record = {**empty(), "model": "a\n::error::b", "gate": "lost", "verdicts": [verdict("d\ne", "hvg", "asw")]}
    assert "\n" not in headline(record)

"""The record: whatever goes in, strict JSON comes out; files are written whole."""

from __future__ import annotations

import json
import math
import resource
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_records import empty, sample, verdict
from msgspec.structs import replace

from zsgate import report
from zsgate.report.record import (
    BaselineRecord,
    DatasetRecord,
    Outcome,
    Record,
    VerdictRecord,
    WaiverTerms,
    missed,
)

WAIVER = WaiverTerms(match="d-hvg-asw", reason="r", owner="o", expires="2027-01-31", max_deficit=0.1)


def written(record: Record, folder: Path) -> Any:
    """Write the report and return verdict.json as a strict parser reads it."""
    report.write(record, folder)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads((folder / "verdict.json").read_text(encoding="utf-8"), parse_constant=refuse)


def test_nan_is_null(tmp_path: Path) -> None:
    """NaN and infinities are null in verdict.json, at any depth."""
    made = verdict("d", "hvg", "asw", ours=math.nan, difference=math.inf, ci=(math.nan, -math.inf), p=math.nan)
    deep = BaselineRecord(name="hvg", notes={"deep": [(math.nan, {"x": math.inf})]})
    got = written(replace(sample(), verdicts=(made,), baselines=(deep,)), tmp_path)
    assert [got["verdicts"][0][key] for key in ("ours", "difference", "p")] == [None] * 3
    assert got["verdicts"][0]["ci"] == [None, None]
    assert got["baselines"][0]["notes"]["deep"] == [[None, {"x": None}]]


def test_an_interval_has_two_ends() -> None:
    """One that lacks an end is none."""
    assert verdict("d", "hvg", "asw", ci=(0.1, math.inf)).interval is None
    assert verdict("d", "hvg", "asw", ci=(0.1, 0.2)).interval == (0.1, 0.2)


def test_numbers_of_numpy_are_numbers() -> None:
    """NumPy's integers and floats are taken as numbers, by hand and from a mapping."""
    made = verdict("d", "hvg", "asw", n_units=np.int64(20), ours=np.float32(0.5))
    assert (type(made.n_units), type(made.ours)) == (int, float)
    fields = {name: getattr(made, name) for name in made.__struct_fields__}
    assert VerdictRecord.of({**fields, "se": np.float64(0.25), "seeds": {"ours": np.int64(3)}}).seeds.ours == 3


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    """A value that is no builtin is refused where it is put in, and its place is named."""
    with pytest.raises(TypeError, match=r"BaselineRecord.notes\['path'\] is a (Posix|Windows)Path"):
        BaselineRecord(name="hvg", notes={"path": tmp_path})


@pytest.mark.parametrize(
    ("changed", "said"), [({"outcome": "wins"}, "outcome"), ({"p": 1.5}, "<= 1"), ({"seeds": {"ours": -1}}, "seeds")]
)
def test_a_mapping_is_checked(changed: dict[str, object], said: str) -> None:
    """A record made from a mapping refuses values that its type does not allow."""
    with pytest.raises(msgspec.ValidationError, match=said):
        VerdictRecord.of({**msgspec.to_builtins(verdict("d", "hvg", "asw")), **changed})


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.text())
def test_anything_becomes_strict_json(notes: dict[str, object], name: str) -> None:
    """Any text and any notes survive as strict JSON in UTF-8, and are read again as they were."""
    record = replace(empty(), model=name, baselines=(BaselineRecord(name=name, notes=notes),))
    text = record.to_json()
    json.loads(text.encode(), parse_constant=lambda constant: pytest.fail(constant))
    assert Record.of_json(text) == record


def test_text_that_no_page_can_show_is_replaced() -> None:
    """Escape sequences, turned reading directions and halves of characters never get into a record."""
    assert DatasetRecord(name="a\x1b[31m\u202eb\ud800\n").name == "a\ufffd[31m\ufffdb\ufffd\n"


def test_files_are_replaced_whole(record: Record, tmp_path: Path) -> None:
    """A second run replaces both files and leaves nothing else behind."""
    page = report.write(empty(), tmp_path / "a" / "b")
    assert page == tmp_path / "a" / "b" / "index.html"
    report.write(record, page.parent)
    assert b"12 lost" in page.read_bytes()
    assert sorted(path.name for path in page.parent.iterdir()) == ["index.html", "verdict.json"]


def test_a_page_that_cannot_be_written_leaves_the_old_one(record: Record, tmp_path: Path) -> None:
    """Where the page cannot be replaced, no partial file stays behind, and verdict.json does not run ahead of it."""
    (tmp_path / "index.html").mkdir()
    with pytest.raises(OSError, match="index"):
        report.write(record, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("missing", [1, 20_000])
def test_a_full_disk_changes_neither_file(record: Record, tmp_path: Path, missing: int) -> None:
    """Room for one of the two, or for nearly both, is room for none: they never contradict each other."""
    before = [report.write(empty(), tmp_path).read_bytes(), (tmp_path / "verdict.json").read_bytes()]
    whole = len(report.write(record, tmp_path / "elsewhere").read_bytes())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (whole - missing, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            report.write(record, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [(tmp_path / name).read_bytes() for name in ("index.html", "verdict.json")] == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "index.html", "verdict.json"]


@pytest.mark.parametrize(
    ("changed", "is_missed", "qualifier"),
    [
        ({"outcome": Outcome.BEATS, "passed": True}, False, ""),
        ({"outcome": Outcome.BEATS, "passed": False}, True, "not passed"),
        ({"outcome": Outcome.INCONCLUSIVE, "passed": True}, False, "passed"),
        ({"outcome": Outcome.LOSES, "passed": False}, True, ""),
        ({"outcome": Outcome.LOSES, "passed": False, "advisory": True}, False, "advisory"),
        ({"outcome": Outcome.LOSES, "passed": False, "waiver": WAIVER}, False, "waived"),
    ],
)
def test_what_counts_as_missed(changed: dict[str, Any], is_missed: bool, qualifier: str) -> None:
    """A verdict is missed if it decides, did not pass and is not waived; where its outcome misleads, a word says so."""
    made = verdict("d", "hvg", "asw", **changed)
    assert (missed([made]) == [made]) is is_missed
    assert made.qualifier == qualifier

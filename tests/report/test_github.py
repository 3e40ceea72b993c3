"""What GitHub Actions gets: a summary that is never dropped, few annotations, nothing that breaks out."""

from __future__ import annotations

import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from made_records import broken, empty, judged, large, sample, verdict
from msgspec.structs import replace

from zsgate.report.github.annotations import annotations
from zsgate.report.github.publish import publish
from zsgate.report.github.summary import LIMIT, summary
from zsgate.report.record import FailureRecord, NotTestedRecord, Outcome, Record
from zsgate.report.sentence import headline


def many(n: int) -> Record:
    """Return a record of ``n`` datasets, every third only inconclusive."""
    outcomes = (Outcome.INCONCLUSIVE, Outcome.LOSES, Outcome.LOSES)
    verdicts = [verdict(f"d{i}", "hvg", "asw", outcome=outcomes[i % 3], difference=-i / 1000) for i in range(n)]
    return replace(judged(sample(), verdicts), controls=())


def test_summary_starts_with_the_verdict(any_record: Record) -> None:
    """The first lines say model, gate and why."""
    lines = summary(any_record).splitlines()
    assert lines[0] == f"## cellama: {any_record.gate}"
    assert lines[2].replace("\\", "") == headline(any_record)


def test_summary_lists_the_worst_first(record: Record) -> None:
    """Tests that did not pass come in a table, lost before inconclusive; every one is there."""
    table = summary(record).split("from the worst on")[1].split("###")[0]
    rows = [line for line in table.splitlines() if line.startswith("| pancreas")]
    outcomes = [row.split("|")[4].split()[1] for row in rows]
    assert len(rows) == sum(not v.passed for v in record.verdicts)
    assert outcomes == sorted(outcomes, key=["loses", "inconclusive"].index)


def test_summary_of_a_broken_gate_names_causes() -> None:
    """Failed controls and errors come before the tests."""
    text = summary(broken())
    assert text.index("the test is broken") < text.index("loss is nan") < text.index("did not pass, from the worst")
    assert "no untrained twin" in text


def test_summary_is_capped() -> None:
    """However much happened, the summary stays below 200 kB and says how many lines were left out."""
    failures = tuple(FailureRecord(nodeid=str(i), what="gate", message="é" * 3000) for i in range(500))
    text = summary(replace(many(1000), failures=failures))
    assert 100_000 < len(text.encode()) < LIMIT <= 200_000
    assert "more lines are in the page" in text.splitlines()[-1]


def test_tables_have_equal_columns() -> None:
    """A bar or line break in a name cannot add a column or row to a table."""
    named = [replace(entry, baseline=f"{entry.baseline}|\n| x") for entry in large().verdicts]
    record = judged(large(), named)
    for block in summary(record).split("\n\n"):
        if block.startswith("|"):
            bars = {line.replace("\\|", "").count("|") for line in block.splitlines()}
            assert len(bars) == 1


@given(st.text(max_size=60))
def test_markdown_is_escaped(name: str) -> None:
    """No text can open a tag, a link, a heading or a code block."""
    skipped = NotTestedRecord(what=name, dataset="d", reason=name)
    text = summary(replace(empty(), model=f"<b>{name}", not_tested=(skipped,)))
    assert "<" not in text
    line = next(line for line in text.splitlines() if line.startswith("- "))
    bare = line[2:].replace("\\\\", "")
    for i, character in enumerate(bare):
        if character in "`*_[]|#":
            assert bare[i - 1] == "\\"


def test_annotations_are_few() -> None:
    """At most ten errors and ten warnings, one a dataset, the worst first, whatever the number of datasets."""
    lines = annotations(many(60))
    errors = [line for line in lines if line.startswith("::error ")]
    assert len(errors) == 10
    assert len(lines) - len(errors) == 10
    assert all(line.startswith("::warning ") for line in lines[10:])
    assert "on d59::" in errors[0]
    assert len({line.split("::")[1] for line in lines}) == 20


def test_annotation_levels() -> None:
    """Inconclusive warns, a loss or an error is an error, what passed is silent."""
    record = sample()
    assert [line.split()[0] for line in annotations(record)] == ["::error"]
    unsure = [v if v.passed else replace(v, outcome=Outcome.INCONCLUSIVE) for v in record.verdicts]
    assert [line.split()[0] for line in annotations(judged(record, unsure))] == ["::warning"]
    assert annotations(judged(record, [v for v in record.verdicts if v.passed])) == []
    assert any("worker gw1 died" in line for line in annotations(broken()))


@given(st.text(max_size=80), st.text(max_size=80))
def test_annotations_are_one_line(name: str, message: str) -> None:
    """A command stays one line, its properties cannot be ended early, and percent signs are escaped."""
    failure = FailureRecord(nodeid="", what="gate", message=message + "100%\r\n::error::x")
    for line in annotations(replace(sample(), model=name, failures=(failure,))):
        assert len(line.splitlines()) == 1
        _, properties, text = line.split("::", 2)
        title = properties.split(" ", 1)[1]
        assert title.startswith("title=")
        assert not set(":,") & set(title)
        assert all(part[:2] in {"25", "0D", "0A", "3A", "2C"} for part in (title + text).split("%")[1:])


def test_publish_follows_the_environment(record: Record, tmp_path: Path) -> None:
    """The summary is appended where the runner says, commands are printed only in Actions, else nothing."""
    path, stream = tmp_path / "summary.md", io.StringIO()
    publish(record, {}, stream)
    assert stream.getvalue() == ""
    path.write_text("before\n")
    publish(record, {"GITHUB_STEP_SUMMARY": str(path), "GITHUB_ACTIONS": "true"}, stream)
    assert path.read_text(encoding="utf-8") == "before\n" + summary(record)
    assert stream.getvalue().splitlines() == annotations(record)

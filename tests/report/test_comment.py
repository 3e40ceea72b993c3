"""The comment of a pull request: what changed, within GitHub's limit, and nothing in it that GitHub acts on."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from made_records import broken, changed, judged, large, sample, verdict
from msgspec.structs import replace

from zsgate.report.github.comment import LIMIT, comment, marker
from zsgate.report.history.change import Kind, compare
from zsgate.report.record import (
    DatasetRecord,
    GateState,
    NotTestedRecord,
    Outcome,
    RecipeRecord,
    Record,
    ScoreRecord,
)
from zsgate.report.sentence import headline

CELLS = ScoreRecord(dataset="pancreas_quick", metric="asw", value=0.5, draws=(0.5,), cells="a1")
BASE = replace(sample(), scores=(CELLS,), provenance=replace(sample().provenance, git="abc1234"))
LOST, WON = 0, 3  # positions of asw against hvg, which loses, and against random_init, which beats


def test_a_comment_says_who_why_and_where(any_record: Record) -> None:
    """The marker first, for whoever updates it; then gate, sentence why, link and grids."""
    lines = comment(any_record, artifact="https://host/a b>").splitlines()
    assert lines[0] == marker("cellama") == "<!-- zsgate: cellama -->"
    assert lines[1].endswith(f"zsgate: cellama {any_record.gate}")
    assert lines[3].replace("\\", "") == headline(any_record)
    assert lines[5].startswith("[page and verdict.json](<https://host/a%20b%3E>) · ")
    if any_record.verdicts:
        assert any(line.startswith("### pancreas") for line in lines)
        assert "▼ loses −0.041" in "\n".join(lines)


def test_what_changed_is_said() -> None:
    """A new loss before a new pass, before what moved beyond both intervals; the rest is counted."""
    now = changed(BASE, WON, passed=False, outcome=Outcome.LOSES, difference=-0.2, ci=(-0.3, -0.1))
    now = changed(now, LOST, passed=True, outcome=Outcome.BEATS, difference=0.2, ci=(0.1, 0.3))
    now = changed(now, 1, difference=-0.5, ci=(-0.6, -0.4))
    found = compare(now, BASE)
    assert [change.kind for change in found.changes] == [Kind.LOSS, Kind.PASS, Kind.MOVED]
    assert found.n_same == 17
    text = comment(now, BASE)
    assert "### Against the base (abc1234)" in text
    assert text.index("new loss") < text.index("new pass") < text.index("moved beyond both intervals")
    assert re.search(r"asw against random\\_init: beats .* → loses", text)
    assert "- 17 tests as before" in text


def test_what_went_wrong_is_listed() -> None:
    """Failed controls and tests without a verdict, of a gate that broke."""
    text = comment(broken())
    assert "- noise beats hvg by nmi: the test is broken" in text
    assert "ValueError: loss is nan at epoch 3" in text


def test_a_move_within_either_interval_is_none() -> None:
    """Both differences have to lie outside the other's interval."""
    now = changed(BASE, 1, difference=-0.5, ci=(-0.9, 0.2), outcome=BASE.verdicts[1].outcome)
    assert compare(now, BASE).changes == ()


def test_tests_that_came_and_went_are_said() -> None:
    """A dataset that is judged on no more is no reason for silence, and one against another run says nothing."""
    more = verdict("other", "hvg", "asw")
    past = verdict("pancreas_quick", "cellama@2026-11-01", "asw", suite="test_against")
    now = judged(BASE, [*BASE.verdicts[1:], more, past])
    found = compare(now, BASE)
    assert [(change.kind, change.test[0]) for change in found.changes] == [
        (Kind.GONE, "pancreas_quick"),
        (Kind.NEW, "other"),
    ]
    assert "not judged" in comment(now, BASE)


def test_what_cannot_be_compared_is_said_and_not_compared() -> None:
    """Another recipe, another model, a base that claims nothing: nothing; other or unknown cells: not that dataset."""
    worse = changed(BASE, WON, passed=False, outcome=Outcome.LOSES)
    cases = [
        (replace(BASE, recipe=RecipeRecord(id="default", hash="ffff")), "another recipe, default:ffff"),
        (replace(BASE, model="other"), "of another model, other"),
        (replace(BASE, gate=GateState.BROKE), "the base claims nothing: its gate is broke"),
    ]
    for base, words in cases:
        found = compare(worse, base)
        assert words in found.refused
        assert (found.changes, found.n_same) == ((), 0)
        assert f"Nothing is compared: {found.refused}." in comment(worse, base).replace("\\", "")
    for scores in ((), (replace(CELLS, cells="b2"),)):
        found = compare(worse, replace(BASE, scores=scores))
        assert found.changes == ()
        assert [name for name, _ in found.apart] == ["pancreas_quick"]
        assert "pancreas\\_quick is not compared" in comment(worse, replace(BASE, scores=scores))
    assert compare(replace(worse, gate=GateState.INTERRUPTED), BASE).refused.startswith("this run claims nothing")


def test_a_comment_is_capped() -> None:
    """However much was judged and changed, it stays below 60,000 characters and keeps its first lines."""
    many = [verdict(f"d{i}", f"b{j}", "asw") for i in range(60) for j in range(60)]
    base = replace(judged(BASE, many), scores=tuple(replace(CELLS, dataset=f"d{i}") for i in range(60)))
    now = judged(base, [replace(each, passed=not each.passed) for each in many])
    text = comment(now, base, "https://host/artifact")
    assert 10_000 < len(text.encode()) < LIMIT <= 60_000
    assert "and 3550 more" in text
    assert "https://host/artifact" in "\n".join(text.splitlines()[:6])
    assert "more lines are in the page" in text


def test_rows_of_a_comment_have_equal_columns() -> None:
    """A bar or line break in a name cannot add a column or row to a table."""
    record = judged(large(), [replace(entry, baseline=f"{entry.baseline}|\n| x") for entry in large().verdicts])
    for block in comment(record).split("\n\n"):
        if block.startswith("|"):
            assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1


HOSTILE = st.text(alphabet=st.sampled_from("ab@#1<>!-`|[]()*_~\\\n :/.w&G&"), max_size=40) | st.text(max_size=40)


@given(HOSTILE, HOSTILE)
def test_no_name_does_anything(name: str, other: str) -> None:
    """No text opens a tag, ends the marker, or makes a mention, a reference, a link or an address."""
    record = replace(
        sample(),
        model=name,
        caveats=(other, "@ada and @org/team, see #12, GH-7, org/repo#3, https://evil, www.evil.org, a@b.org"),
        verdicts=(replace(sample().verdicts[0], dataset=f"d{other}", baseline=f"b{name}", model=name),),
        datasets=(DatasetRecord(name=f"d{other}"),),
        not_tested=(NotTestedRecord(what=name, dataset=f"d{other}", reason=other),),
    )
    base = replace(record, recipe=RecipeRecord(id=other, hash="f" + name))
    text = comment(record, base)
    first, _, rest = text.partition("\n")
    assert re.fullmatch(r"<!-- zsgate: [\w.:/+ ]* -->", first, re.ASCII)
    assert "<" not in rest
    plain = re.sub(r"\\([\\`*_{}\[\]()#+!|~$-])", r"\1", rest)
    assert not re.search(r"@\w|#\d|\bgh-\d|://|\bwww\.", plain, re.IGNORECASE)


def test_models_of_like_names_have_markers_of_their_own() -> None:
    """What is left out of a marker is told by a digest."""
    assert marker("a|b") != marker("a*b")
    assert marker("a-->b").count("--") == 2

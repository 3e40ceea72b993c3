"""Comparison: what a notebook shows, and what is written, of verdicts on an embedding."""

from __future__ import annotations

import html.parser
from pathlib import Path

import msgspec
import pytest
from matplotlib.figure import Figure

from zsgate.errors import UsageProblem
from zsgate.report.page.html import render
from zsgate.report.record import FailureRecord, GateState, Provenance, Record
from zsgate.run.notebook.comparison import COLUMNS, Comparison

HOSTILE = "<script>alert(1)</script>\"'&$x_1$"


def test_it_is_true_only_where_every_verdict_passed(good: Comparison, noise: Comparison) -> None:
    """Labels pass, noise does not."""
    assert good.record.gate is GateState.PASSED
    assert bool(good) is True
    assert noise.record.gate is GateState.LOST
    assert bool(noise) is False


@pytest.mark.parametrize("state", [state for state in GateState if state is not GateState.PASSED])
def test_it_is_false_in_every_other_state(good: Comparison, state: GateState) -> None:
    """Also where a waiver would let a gate pass."""
    assert not Comparison(msgspec.structs.replace(good.record, gate=state))


def test_it_is_false_where_nothing_says_how_it_ended() -> None:
    """A record made by hand proves nothing."""
    assert not Comparison(Record(gate=GateState.PASSED, model="mine", provenance=Provenance()))


def test_a_frame_has_a_row_for_each_verdict(good: Comparison) -> None:
    """In the words of verdict.json, the interval in two columns."""
    frame = good.to_frame()
    assert tuple(frame.columns) == COLUMNS
    for row, verdict in zip(frame.to_dict("records"), good.verdicts, strict=True):
        assert (row["ci_low"], row["ci_high"]) == verdict.interval
        plain = msgspec.to_builtins(verdict)
        shared = [name for name in COLUMNS if not name.startswith("ci_")]
        assert {name: row[name] for name in shared} == {name: plain[name] for name in shared}


class Tags(html.parser.HTMLParser):
    """Notes which tags open and close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note that one opens."""
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note that one closes."""
        assert self.open.pop() == tag


def test_a_notebook_shows_every_verdict_escaped(good: Comparison) -> None:
    """Names, sentences, reasons and messages of somebody's are text and nothing else."""
    verdicts = tuple(
        msgspec.structs.replace(each, baseline=HOSTILE, dataset=HOSTILE, metric=HOSTILE, sentence=HOSTILE)
        for each in good.verdicts
    )
    failures = (FailureRecord(nodeid="a", message=HOSTILE),)
    record = msgspec.structs.replace(
        good.record, model=HOSTILE, verdicts=verdicts, failures=failures, caveats=(HOSTILE,)
    )
    shown = Comparison(record)._repr_html_()
    tags = Tags()
    tags.feed(shown)
    assert tags.open == []
    assert tags.seen == {"div", "p", "strong", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert "alert(1)" in shown
    assert shown.count("<tr") == 1 + len(verdicts)


def test_a_notebook_shows_the_headline_and_the_controls(noise: Comparison) -> None:
    """Who was beaten or not, and that the controls did what they must."""
    shown = noise._repr_html_()
    assert "X_noise does not beat X_good, hvg and pca" in shown
    assert f"{len(noise.record.controls)} controls were run, each did what it must." in shown
    assert "X_noise does not beat" in repr(noise)


def test_a_forest_has_the_numbers_of_the_record(good: Comparison) -> None:
    """A point and an interval for each verdict, metric by metric."""
    figure = good.plot()
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert isinstance(figure, Figure)
    for metric, axes in panels.items():
        here = [verdict for verdict in good.verdicts if verdict.metric == metric]
        points = [float(line.get_xdata()[0]) for line in axes.lines if line.get_gid() == "difference"]
        ends = [tuple(map(float, line.get_xdata())) for line in axes.lines if line.get_gid() == "interval"]
        assert points == [verdict.difference for verdict in here]
        assert ends == [verdict.interval for verdict in here]
        names = [label.get_text().removesuffix(" (advisory)") for label in axes.get_yticklabels()]
        assert names == [verdict.baseline for verdict in here]
    assert sum(len(axes.get_yticks()) for axes in panels.values()) == len(good.verdicts)


def test_a_table_has_everybody_s_scores(good: Comparison, tmp_path: Path) -> None:
    """Ours and theirs by metric; it can be drawn where there is no display."""
    figure = good.plot_table()
    (table,) = figure.axes[0].tables
    text = {place: cell.get_text().get_text() for place, cell in table.get_celld().items()}
    assert [text[row, -1] for row in range(1, 5)] == ["X_good", "X_noise", "hvg", "pca"]
    column = next(column for (row, column), said in text.items() if row == 0 and said == "nmi")
    nmi = {verdict.baseline: verdict for verdict in good.verdicts if verdict.metric == "nmi"}
    assert float(text[1, column]) == pytest.approx(nmi["hvg"].ours, abs=5e-4)
    assert float(text[3, column]) == pytest.approx(nmi["hvg"].theirs, abs=5e-4)
    figure.savefig(tmp_path / "table.png")
    assert (tmp_path / "table.png").stat().st_size > 1000


def test_a_name_is_no_formula(good: Comparison, tmp_path: Path) -> None:
    """A dollar in a name would be mathematics to matplotlib."""
    verdicts = tuple(msgspec.structs.replace(each, baseline="$\\frac$") for each in good.verdicts)
    Comparison(msgspec.structs.replace(good.record, model="$a$", verdicts=verdicts)).plot().savefig(tmp_path / "a.png")


def test_what_cannot_be_plotted_is_refused(good: Comparison) -> None:
    """An unknown kind, and nothing to draw."""
    with pytest.raises(UsageProblem, match="unknown kind of plot 'forrest'; did you mean 'forest'"):
        good.plot("forrest")  # type: ignore[arg-type]
    with pytest.raises(UsageProblem, match="no difference is known"):
        Comparison(msgspec.structs.replace(good.record, verdicts=())).plot()


def test_the_page_is_the_gate_s(good: Comparison, tmp_path: Path) -> None:
    """And so is verdict.json, which a later run can be compared with; another ending is refused."""
    assert good.save(tmp_path / "report.html").read_text(encoding="utf-8") == render(good.record)
    assert Record.of_json(good.save(str(tmp_path / "report.json")).read_bytes()) == good.record
    with pytest.raises(UsageProblem, match=r"a page ends in \.html"):
        good.save(tmp_path / "report.pdf")


def test_it_says_how_it_was_asked(good: Comparison) -> None:
    """In a line that gives the same again, on the page like a command."""
    provenance = good.record.provenance
    assert provenance.command.startswith(
        "zsgate.judge(adata, 'X_good', against=['hvg', 'pca', 'X_noise'], label_key='ce"
    )
    assert {name: provenance.options[name] for name in ("label", "batch", "donor")} == {
        "label": "cell_type",
        "batch": "sample",
        "donor": "donor",
    }

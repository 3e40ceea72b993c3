"""The history: every record on one page, lines that break where nothing can be compared, and no file dropped."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import ask, console, needs_chromium
from made_records import DATASET, PROVENANCE, SCORES, THEIRS, judged, sample, verdict
from msgspec.structs import replace
from parsed import Page

from zsgate.errors import UsageProblem
from zsgate.report.history.chart import CROWDED, HEIGHT, WIDTH, chart, scale
from zsgate.report.history.collected import Collected, collect
from zsgate.report.history.page import render
from zsgate.report.history.series import histories
from zsgate.report.record import GateState, Outcome, RecipeRecord, Record, ScoreRecord

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script>'\"&{{ 7*7 }}"


def run(position: int, difference: float = 0.1, cells: str = "a1", **fields: object) -> Record:
    """Return the record of one run of one test."""
    outcome = Outcome.BEATS if difference > 0.05 else Outcome.LOSES if difference < -0.05 else Outcome.INCONCLUSIVE
    ends = (difference - 0.05, difference + 0.05)
    one = verdict("pancreas", "hvg", "asw", difference=difference, ci=ends, outcome=outcome, passed=difference > 0.05)
    source = replace(PROVENANCE, git=f"c{position:06x}", started=f"2026-03-{position + 1:02d}T10:00:00+00:00")
    score = ScoreRecord(dataset="pancreas", metric="asw", value=0.5, draws=(0.5,), cells=cells)
    record = replace(judged(sample(), [one]), scores=(score,), provenance=source, controls=())
    return replace(record, **fields)


def many(n: int, datasets: int) -> list[Record]:
    """Return ``n`` runs of every metric and baseline on so many datasets, whose differences wander."""
    draw, drift = random.Random(0), dict[tuple[str, str, str], float]()
    records = []
    for position in range(n):
        verdicts = []
        for key in [(f"dataset_{d}", b, m) for d in range(datasets) for b in THEIRS for m in SCORES]:
            drift[key] = drift.get(key, 0.0) + draw.gauss(0, 0.01)
            made = verdict(*key)
            at = (made.difference or 0.0) + drift[key]
            verdicts.append(replace(made, difference=at, ci=(at - 0.03, at + 0.03)))
        source = replace(
            PROVENANCE, git=f"c{position:06x}", started=f"2026-01-01T{position // 60:02d}:{position % 60:02d}"
        )
        records.append(replace(judged(sample(), verdicts), provenance=source))
    return records


def only(records: list[Record]):
    """Return the breaks and points of the one test of one model."""
    (history,) = histories(records)
    (dataset,) = history.datasets
    (block,) = dataset.blocks
    (points,) = block.lines.values()
    return dataset.breaks, points


def test_files_are_ordered_counted_and_never_dropped(tmp_path: Path) -> None:
    """By the time of their start; copies once; what is damaged is listed with the reason."""
    (tmp_path / "in").mkdir()
    for place, record in (("b", run(1)), ("in/a", run(0)), ("in/copy", run(1))):
        (tmp_path / f"{place}.json").write_text(record.to_json(), encoding="utf-8")
    (tmp_path / "cut.json").write_text(run(2).to_json()[:900], encoding="utf-8")
    (tmp_path / "later.json").write_text(run(2).to_json().replace("verdict/1", "verdict/9"), encoding="utf-8")
    timeless = run(3, provenance=replace(PROVENANCE, started="long ago"))
    (tmp_path / "timeless.json").write_text(timeless.to_json(), encoding="utf-8")
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")

    found = collect([tmp_path, tmp_path / "b.json"])
    assert [each.provenance.git for each in found.records] == ["c000000", "c000001"]
    assert found.n_copies == 1
    assert {Path(path).stem for path, _ in found.unread} == {"cut", "later", "timeless", "deep"}
    page = render(found)
    assert all(f"{name}.json" in page for name in ("cut", "later", "timeless", "deep"))
    for place in (tmp_path / "nowhere", tmp_path / "in" / "none"):
        with pytest.raises(UsageProblem, match="no such file"):
            collect([place])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageProblem, match=r"no \.json"):
        collect([tmp_path / "empty"])


def test_lines_break_where_recipe_or_cells_changed() -> None:
    """At the run that differs from the last one that judged the dataset, with the reason; unknown cells break too."""
    other = RecipeRecord(id="default", hash="ffff")
    records = [run(0), run(1), run(2, cells="b2"), run(3, cells="b2", recipe=other), run(4, cells="b2", recipe=other)]
    breaks, points = only(records)
    assert [(gap.run, gap.why) for gap in breaks] == [
        (2, "other cells, labels, batches or donors"),
        (3, "another recipe, default:ffff"),
    ]
    drawn = chart(points, 5, [2, 3], scale(points))
    assert re.findall("[ML]", drawn.line) == ["M", "L", "M", "M", "L"]
    assert drawn.breaks.count("M") == 2
    unknown, _ = only([run(0, scores=()), run(1, scores=())])
    assert [gap.run for gap in unknown] == [1]
    page = render(Collected(tuple(records)))
    assert "another recipe, default:ffff" in page
    assert page.count('class="break"') == 1


def test_a_run_that_claims_nothing_is_a_gap() -> None:
    """Its numbers are not drawn; a cross stands at zero, and the line starts again behind it."""
    records = [run(0), run(1, gate=GateState.BROKE), run(2)]
    breaks, points = only(records)
    assert breaks == []
    on = scale(points)
    drawn = chart(points, 3, [], on)
    assert re.findall("[ML]", drawn.line) == ["M", "M"]
    marks = dict(drawn.marks)
    assert marks["error"].startswith(f"M{WIDTH // 2} {on.y(0.0)}")
    assert drawn.words == "2 × beats, 1 × error"


def test_higher_is_better_and_everything_lies_in_the_frame() -> None:
    """A larger difference is drawn higher; intervals that reach far beyond are cut at the frame."""
    wide = run(0, 0.1)
    wide = judged(wide, [replace(wide.verdicts[0], ci=(-9.0, 9.0))])
    _, points = only([wide, run(1, -0.2), run(2, 0.2)])
    on = scale(points)
    assert on.y(0.2) < on.y(0.1) < on.y(0.0) < on.y(-0.2)
    drawn = chart(points, 3, [], on)
    for x, y in re.findall(r"[ML](-?\d+) (-?\d+)", drawn.line + drawn.whiskers):
        assert 0 <= int(x) <= WIDTH
        assert 0 <= int(y) <= HEIGHT


def test_marks_of_many_runs_are_those_that_say_something() -> None:
    """Every run has a mark where there is room; else the first, the last, and where the outcome changed."""
    few = [run(i, 0.1 if i < 3 else -0.1) for i in range(6)]
    _, points = only(few)
    assert sum(path.count("M") for _, path in chart(points, 6, [], scale(points)).marks) == 6
    n = CROWDED + 1
    marks = dict(chart(points, n, [], scale(points)).marks)
    assert (marks["beats"].count("M"), marks["loses"].count("M")) == (1, 2)


def test_models_stand_apart() -> None:
    """Each under a heading of its own, with its own runs."""
    records = [run(0), run(1, model="other"), run(2)]
    found = histories(records)
    assert [(each.model, len(each.runs)) for each in found] == [("cellama", 2), ("other", 1)]
    page = render(Collected(tuple(records)))
    assert page.count("<h2>") == 2


def test_rows_say_what_changed() -> None:
    """A run against the last one before it that claimed something."""
    page = render(Collected((run(0), run(1, 0.1, gate=GateState.INTERRUPTED), run(2, -0.1))))
    assert "new loss: pancreas asw against hvg" in page
    assert page.count("new loss") == 1


def test_the_page_is_self_contained_and_escaped() -> None:
    """No script, no address, no name that becomes markup, and the colours of a run's page."""
    one = run(0)
    names = replace(one.verdicts[0], dataset=HOSTILE, baseline=HOSTILE, metric=HOSTILE, claim=HOSTILE, model=HOSTILE)
    source = replace(one.provenance, git=HOSTILE, zsgate=HOSTILE)
    record = replace(judged(one, [names]), model=HOSTILE, provenance=source, datasets=(replace(DATASET, name=HOSTILE),))
    other = replace(record, recipe=RecipeRecord(id=HOSTILE, hash=HOSTILE))
    page = render(Collected((record, other), ((HOSTILE, HOSTILE),)))
    Page(page)
    assert "<script" not in page
    assert "{{ 7*7 }}" in page
    assert not re.search(r"(href|src)=(?!\"#)", page)
    assert "url(" not in page
    assert "default-src 'none'" in page
    for colour in ("paper", "ink", "soft", "line", "beats", "loses", "inconclusive", "error", "not-tested"):
        assert page.count(f"--{colour}:") >= 2, "light and dark"


def test_a_hundred_runs_of_the_full_tier_stay_below_a_megabyte() -> None:
    """Five datasets, five metrics, four baselines."""
    page = render(Collected(tuple(many(40, 5))))
    assert 2.5 * len(page.encode()) < 1_000_000
    assert page.count('class="line"') == 100


def test_a_history_of_nothing_says_so() -> None:
    """Where no file could be read."""
    page = render(Collected((), (("x.json", "damaged"),)))
    Page(page)
    assert "0 runs of 0 models" in page


@needs_chromium
def test_a_browser_shows_it_whole(tmp_path: Path) -> None:
    """No sideways scroll at any width, no resource, no message; axe-core finds nothing, in light and dark."""
    page = tmp_path / "history.html"
    page.write_text(render(Collected((*many(3, 1), run(1, model="m" * 90)), (("x" * 90, "damaged"),))), "utf-8")
    widths = (320, 390, 761, 1280)
    asked = "return [document.documentElement.scrollWidth, performance.getEntriesByType('resource').length];"
    assert ask(page, asked, widths) == {width: [width, 0] for width in widths}
    assert console(page) == []
    package = pytest.importorskip("axe_core_python")
    (tmp_path / "axe.min.js").write_bytes((Path(package.__file__).parent / "axe.min.js").read_bytes())
    script = """
    const tag = document.createElement("script"); tag.src = "axe.min.js"; document.head.append(tag);
    await new Promise(done => { tag.onload = done; });
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map(each => [each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]);
    """
    for options in ((), ("--blink-settings=preferredColorScheme=0",)):
        assert ask(page, script, (390, 1280), *options) == {390: [], 1280: []}

"""The page in a browser: it fits, prints, works by keyboard and is quiet, in every scheme and at every width."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from browser import ask, console, needs_chromium, sheets
from made_records import broken, large, sample
from msgspec.structs import replace

from benchmarks.picture import take
from zsgate.report.page.html import render
from zsgate.report.record import Record

pytestmark = needs_chromium
WIDTHS = (320, 390, 721, 768, 956, 1280, 1920)
DARK = "--blink-settings=preferredColorScheme=0"
MADE = {"sample": sample, "broken": broken, "large": large}


@pytest.fixture(scope="module", params=MADE)
def page(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file of a page."""
    return written(tmp_path_factory.mktemp(request.param), MADE[request.param]())


def written(folder: Path, record: Record) -> Path:
    path = folder / "index.html"
    path.write_text(render(record), encoding="utf-8")
    return path


def test_nothing_is_asked_for_and_nothing_is_complained_of(page: Path) -> None:
    """Opening it asks for no resource, also without its policy; the console has no message, in light and dark."""
    assert ask(page, "return performance.getEntriesByType('resource').map(each => each.name);", (1280,))[1280] == []
    assert console(page) == []
    assert console(page, DARK) == []


def test_it_fits_every_width(page: Path) -> None:
    """No sideways scroll from a small phone to a large screen; a phone's page is folded to less than 6,000 pixels."""
    found = ask(page, "const d = document.documentElement; return [d.scrollWidth, d.scrollHeight];", WIDTHS)
    assert {width: across for width, (across, _) in found.items()} == {width: width for width in WIDTHS}
    assert found[390][1] < 6000


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_no_violation(page: Path, scheme: str) -> None:
    """axe-core's rules of WCAG 2.2 A and AA and its best practices, on a phone and a screen, folds opened."""
    package = pytest.importorskip("axe_core_python")
    axe = (Path(package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    (page.parent / "axe.min.js").write_text(axe, encoding="utf-8")
    script = """
    for (const each of document.querySelectorAll("details")) each.open = true;
    const tag = document.createElement("script"); tag.src = "axe.min.js"; document.head.append(tag);
    await new Promise(done => { tag.onload = done; });
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map(each => [each.id, each.nodes.slice(0, 3).map(node => node.html.slice(0, 200))]);
    """
    found = ask(page, script, (390, 1280), *((DARK,) if scheme == "dark" else ()))
    assert found == {390: [], 1280: []}


def test_the_keyboard_reaches_everything(page: Path) -> None:
    """What can be pressed, unfolded or scrolled takes the focus, in the order of the page."""
    script = """
    for (const each of document.querySelectorAll("details")) each.open = true;
    const pressed = [...document.querySelectorAll("a[href], summary, input, .wide")];
    return pressed.filter(each => { each.focus(); return document.activeElement !== each || each.tabIndex > 0; })
      .map(each => each.outerHTML.slice(0, 99));
    """
    assert ask(page, script, (1280,))[1280] == []


def test_the_filter_hides_rows_without_a_script(tmp_path: Path) -> None:
    """Of those not passed, rows that decide are left; of a dataset, its own parts."""
    script = """
    const all = () => [...document.querySelectorAll(".verdicts tr[id]")];
    const rows = () => all().filter(each => each.checkVisibility()).length;
    for (const each of document.querySelectorAll("details")) each.open = true;
    const count = id => { document.getElementById(id).checked = true; return rows(); };
    return ["which-all", "which-missed", "which-deciding", "which-all", "of-2"].map(count);
    """
    made = large()
    made = replace(made, verdicts=tuple(replace(each, advisory=each.metric == "ari") for each in made.verdicts))
    deciding = [each for each in made.verdicts if not each.advisory]
    missed = [each for each in deciding if not each.passed]
    here = [each for each in made.verdicts if each.dataset == sorted({v.dataset for v in made.verdicts})[1]]
    everything = len(made.verdicts)
    found = ask(written(tmp_path, made), script, (1280,))[1280]
    assert found == [everything, len(missed), len(deciding), everything, len(here)]


def test_it_prints_on_few_sheets(page: Path) -> None:
    """At most six of a run of the quick tier; what is folded stays folded."""
    assert sheets(page) <= 6


def test_a_hostile_name_runs_nothing(tmp_path: Path) -> None:
    """Names that are markup or code stay words: no alert, no message, no element but those of the page."""
    evil = "<img src=x onerror=console.error('run')><script>console.error('run')</script>"
    made = sample()
    verdicts = tuple(replace(each, baseline=evil, sentence=evil, metric=evil) for each in made.verdicts[:3])
    page = written(tmp_path, replace(made, model=evil, verdicts=verdicts, caveats=(evil,)))
    assert console(page) == []
    assert ask(page, "return document.querySelectorAll('img, main script').length;", (1280,))[1280] == 0


def test_the_grid_is_what_the_record_says(page: Path) -> None:
    """Each cell of the grids, read from the browser, leads to a row with the same outcome and difference."""
    script = """
    for (const each of document.querySelectorAll("details")) each.open = true;
    return [...document.querySelectorAll(".matrix a[href^='#verdict']")].map(each => {
      const row = document.getElementById(each.getAttribute("href").slice(1));
      const cell = name => row.querySelector(`[data-label="${name}"]`).textContent.trim();
      return [each.querySelector(".outcome").textContent.trim().split(",")[0], each.querySelector("b").textContent]
        .join() === [cell("outcome").split(",")[0], cell("difference")].join();
    });
    """
    found = ask(page, script, (1280,))[1280]
    assert found
    assert all(found)


def test_the_picture_of_the_readme_is_taken_by_a_command(page: Path) -> None:
    """A PNG of the size that is asked for."""
    picture = page.with_suffix(".png")
    take(page, picture, size=(640, 400))
    head = picture.read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert struct.unpack(">2I", head[16:]) == (640, 400)

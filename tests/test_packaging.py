"""What a user installs: the wheel made from the source distribution, run from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import zsgate

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and from it the wheel; return their folder."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Return the wheel."""
    return next(built.glob("*.whl"))


def test_the_source_distribution_holds_the_documents(built):
    """Every page, what Sphinx needs to build them, and how to cite."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.*") if path.suffix != ".pyc"}
    assert {name for name in pages if not name.startswith("docs/_build/")} <= names
    assert {"CITATION.cff", "CHANGELOG.md", "CONTRIBUTING.md", "README.md", "constraints.txt"} <= names


def test_what_is_said_of_the_package_agrees():
    """Version and licence stand in three files; issue forms are what GitHub reads."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert project["version"] == cited["version"] == zsgate.__version__
    assert project["license"] == cited["license"]
    assert project["authors"] == [{"name": each["name"]} for each in cited["authors"]]
    forms = [path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config"]
    assert {path.stem for path in forms} == {"bug", "dataset", "model"}
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert {"name", "description", "body"} <= set(form)
        assert {each["type"] for each in form["body"]} <= {"textarea", "input", "dropdown", "checkboxes", "markdown"}


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    """Suites, fixtures, baselines and the report's templates are inside zsgate/."""
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].split("-")[0] for name in names} == {"zsgate"}
    for folder in ("suites", "fixtures", "baselines"):
        inside = {name.removeprefix("zsgate/") for name in names if name.startswith(f"zsgate/{folder}/")}
        assert inside == {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
    assert any(name.endswith(".jinja") for name in names)
    cards = {path.relative_to(ROOT).as_posix() for path in (ROOT / "envs").glob("*/*.*") if path.suffix != ".pyc"}
    assert cards <= {name.removeprefix("zsgate/") for name in names}
    assert "zsgate/py.typed" in names


def test_the_wheel_runs_from_an_empty_folder(wheel, tmp_path):
    """Installed elsewhere, the gate collects its suites from there."""
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); "
        "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]; "
        "import zsgate.suites, pytest; assert zsgate.suites.__file__.startswith(sys.path[0]), zsgate.suites.__file__; "
        "sys.exit(pytest.main(['--model=cellama', '--tier=quick', '--collect-only', '-q', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=empty, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_cell_type_clustering.py::test_separates_cell_types[pancreas_quick-hvg-asw]" in done.stdout
    assert not list(empty.iterdir())

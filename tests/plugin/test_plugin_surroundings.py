"""What a repository has of its own, fixtures, settings and names, does not change what the gate does."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

SELECT = ("-k", "hvg and asw")
FIXTURES = """
import pytest

@pytest.fixture
def trial(): return "theirs"

candidate = dataset = baseline = control = judge = prove = refuse = stale = repeat = trial

@pytest.fixture
def record_property(): return "theirs"

@pytest.fixture(scope="session")
def pytestconfig(): return "theirs"
"""


def test_fixtures_of_ordinary_names_are_the_repository_s_own(gate, project, verdict):
    """A root conftest's `dataset` and `baseline` serve its own tests, and the suites keep theirs."""
    project.makeconftest(FIXTURES)
    project.makepyfile(test_own="def test_own(dataset, judge): assert dataset == judge == 'theirs'")
    result = gate("models:good", *SELECT[:1], "hvg and asw or own", "test_cell_type_clustering.py", "test_own.py")

    assert result.ret == 0, result.stdout.str()
    assert verdict()["gate"] == "passed"
    assert len(verdict()["verdicts"]) == 1
    assert all(each["passed"] for each in verdict()["controls"])
    assert result.parseoutcomes()["passed"] == 1 + 1 + len(verdict()["controls"])


def test_warnings_as_errors_beside_junit(gate, project):
    """`filterwarnings = error` and --junitxml: every verdict is reached, with its properties."""
    project.makeini("[pytest]\nfilterwarnings = error")
    result = gate("models:good", "--junitxml=out.xml", "-p", "no:xdist", *SELECT)

    assert result.ret == 0, result.stdout.str()
    properties = {each.get("name") for each in ET.parse(project.path / "out.xml").iter("property")}
    assert {"zsgate_outcome", "zsgate_difference", "zsgate_control"} <= properties


def test_patterns_of_test_names_are_for_the_repository_s_tests(gate, project, verdict):
    """python_files and its like say what the user's tests are called; the suites are found all the same."""
    project.makeini("[pytest]\npython_files = check_*.py\npython_functions = check_*\npython_classes = Check*")
    result = gate("models:good", *SELECT)

    assert result.ret == 0, result.stdout.str()
    assert verdict()["gate"] == "passed"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_any_name_of_a_file_will_do(gate, project, cells_file, verdict, workers):
    """One named like a baseline whose package is missing, one that is not ASCII: judged, and selected by its name."""
    project.makeconftest("import sys\n\nsys.modules['scvi'] = None")
    for name in ("my-scvi", "läb"):
        (project.path / f"{name}.h5ad").symlink_to(cells_file)
    columns = ("--datasets=my-scvi.h5ad,läb.h5ad", "--label=cell_type", "--batch=sample", "--donor=donor")
    result = gate("models:good", "-k", "(läb or my-scvi) and hvg and asw", *workers, columns=columns)

    assert result.ret == 0, result.stdout.str() + result.stderr.str()
    assert [each["dataset"] for each in verdict()["verdicts"]] == ["my-scvi", "läb"]


def test_expected_failures_stay_expected(gate):
    """--runxfail concerns marks; an advisory test that fails is expected to by what its verdict says."""
    result = gate("models:bad", "--runxfail", "--metrics=label_transfer", "-k", "hvg and transfer")

    assert result.ret == 5
    assert result.parseoutcomes()["xfailed"] >= 1

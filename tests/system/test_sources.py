"""What decides a result is found from imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest

from zsgate.system.sources import DISTRIBUTIONS, code_of, files, imports, packages, versions

ROOT = Path(__file__).parents[2]
EDITED = """
import sys
from pathlib import Path
from zsgate.system.sources import code_of, files, imports

module, before, missed = sys.argv[1], code_of(sys.argv[1]), []
for path in files(module):
    text = path.read_text()
    path.write_text(text + "\\n# edited")
    code_of.cache_clear()
    if code_of(module) == before:
        missed.append(path.name)
    path.write_text(text)
print(len(files(module)), missed)
"""


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Return a folder with a copy of the package, as a wheel has it."""
    shutil.copytree(ROOT / "zsgate", tmp_path / "zsgate", ignore=shutil.ignore_patterns("__pycache__"))
    for part in ("baselines", "fixtures", "suites"):
        shutil.copytree(ROOT / part, tmp_path / "zsgate" / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def in_copy(copied: Path, code: str, *args: str) -> str:
    """Run code on the copy and return what it prints."""
    run = [sys.executable, "-c", code, *args]
    return subprocess.run(run, cwd=copied, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "module",
    ["zsgate.models.families.scgpt.adapter", "zsgate.models.families.cellama.adapter", "zsgate.metrics.embedding.pcr"],
)
def test_every_file_of_the_closure_counts(copied, module):
    """An edit anywhere in it is another digest."""
    number, missed = in_copy(copied, EDITED, module).split(maxsplit=1)
    assert int(number) > 3
    assert missed == "[]"


def test_a_new_import_counts(copied):
    """A module that begins to import another one, in a function, has its digest follow that one."""
    shown = "from zsgate.system.sources import code_of; print(code_of('zsgate.metrics.embedding.bras'))"
    (copied / "zsgate" / "new.py").write_text("FACTOR = 1")
    path = copied / "zsgate" / "metrics" / "embedding" / "bras.py"
    path.write_text(path.read_text() + "\n\ndef scaled(x):\n    from zsgate.new import FACTOR\n    return FACTOR * x\n")
    before = in_copy(copied, shown)
    assert before == in_copy(copied, shown)
    (copied / "zsgate" / "new.py").write_text("FACTOR = 2")
    assert in_copy(copied, shown) != before


def test_imports_inside_functions_count_and_those_for_type_checkers_do_not(tmp_path):
    """What runs can decide a value; what only a type checker reads cannot."""
    path = tmp_path / "module.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nimport zsgate.a\nif TYPE_CHECKING:\n    import zsgate.b\n"
        "def f():\n    from zsgate.c import d\n"
    )
    assert imports(path) == {"typing", "typing.TYPE_CHECKING", "zsgate.a", "zsgate.c", "zsgate.c.d"}


def test_only_packages_that_are_imported_count():
    """What computes HVG does not depend on whether scVI is installed; what computes scVI does."""
    assert "scvi-tools" in packages("zsgate.baselines.scvi.baseline")
    assert not {"scvi-tools", "scib-metrics", "pytest", "hypothesis"} & packages("zsgate.baselines.hvg").keys()
    assert "scib-metrics" not in packages("zsgate.metrics.embedding.bras")
    assert packages("zsgate.metrics.embedding.bras")["numpy"] == np.__version__


def test_every_package_is_known_by_its_name_on_the_index():
    """The table has every package whose module is called otherwise, so that no version is missing from a key."""
    known = packages_distributions()
    found = packages(
        "zsgate.metrics",
        "zsgate.baselines.scvi.baseline",
        "zsgate.models.families.cellama.adapter",
        "zsgate.models.families.scgpt.adapter",
    )
    found.pop("triton")  # comes with a torch for CUDA, else it is absent
    assert len(found) > 8
    assert found.keys() <= {DISTRIBUTIONS.get(module, module) for module in known}
    assert "absent" not in found.values()


def test_what_is_no_module_has_no_digest():
    """A key that would miss its code is refused."""
    with pytest.raises(ModuleNotFoundError, match="no module"):
        code_of("zsgate.nothing")
    assert files("zsgate.errors")[0].name == "errors.py"


def test_versions_are_those_installed():
    """Missing packages are absent, and none is imported to know."""
    assert versions("numpy", "no-such-package") == {"numpy": np.__version__, "no-such-package": "absent"}

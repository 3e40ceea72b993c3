"""Run mypy over the package as it is installed, with the folders of the checkout at their place inside it.

In a checkout, suites/, fixtures/ and baselines/ lie beside zsgate/, and an editable install maps them by a hook that
mypy cannot follow. So the files are laid out as in the wheel, in a temporary folder, and checked there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    """Return mypy's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "zsgate", Path(folder) / "zsgate")
        for name in ("baselines", "fixtures"):
            shutil.copytree(ROOT / name, Path(folder) / "zsgate" / name)
        shutil.copytree(ROOT / "suites", Path(folder) / "zsgate" / "suites", ignore=shutil.ignore_patterns("test_*"))
        command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")]
        cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "as_installed")]
        return subprocess.run([*command, *cache, "-p", "zsgate"], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

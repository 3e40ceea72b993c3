"""The documents as tests read them: pages, their fenced blocks, the commands in these, and running a page in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if "_build" not in path.parts
)
FENCE = re.compile(r"^```(\S*)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
# "`my_pkg/gate.py`:" just above a block is the name of its file
NAMED = re.compile(r"`([\w./-]+\.(?:py|toml|yml))`(?: [^`.,\n]*)?:\s*\Z")
EXITS = re.compile(r"#.*\bexits (\d)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language, its text, and the file that the line above calls it."""

    language: str
    text: str
    file: str

    @property
    def commands(self) -> list[str]:
        """The lines of a block of bash, continued ones joined."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, Sphinx's own directives aside."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        if not found[1].startswith("{"):
            named = NAMED.search(text[: found.start()])
            yield Block(found[1], found[2], named[1] if named else "")


def of_language(page: str, language: str) -> list[str]:
    """Return the texts of a page's blocks of a language."""
    return [each.text for each in blocks(page) if each.language == language]


class Folder:
    """A folder in which a page is followed from top to bottom.

    Parameters
    ----------
    path
        The folder.
    cache
        The store of its runs.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        self.path = path
        bare = ("ZSGATE_", "GITHUB_", "PYTEST_", "PYTHONPATH")
        self.variables = {name: value for name, value in os.environ.items() if not name.startswith(bare)}
        tools = path.parent / f"{path.name}-bin"  # what an installation puts on the path, of this interpreter
        tools.mkdir()
        for name, called in (("pytest", "-P -m pytest"), ("zsgate", "-P -m zsgate"), ("python", "")):
            (tools / name).write_text(f'#!/bin/sh\nexec {sys.executable} {called} "$@"\n', encoding="utf-8")
            (tools / name).chmod(0o755)
        self.variables |= {
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "ZSGATE_CACHE": str(cache),
            "OMP_NUM_THREADS": "1",
            "MPLBACKEND": "Agg",
            "PYTEST_ADDOPTS": "-p no:hypothesispytest",  # a second of imports
        }

    def write(self, block: Block) -> None:
        """Write the file that a block is."""
        file = self.path / block.file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")

    def run(self, command: str, text: str | None = None) -> None:
        """Run a line of bash, and assert that it leaves with what its comment says, else with 0."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            **({"input": text} if text is not None else {"stdin": subprocess.DEVNULL}),
            cwd=self.path,
            env=self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        said = EXITS.search(command)
        assert done.returncode == int(said[1] if said else 0), (
            f"$ {command}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"
        )

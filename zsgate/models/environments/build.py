"""Building: an environment is made whole, or nothing of it is left; what takes long says that it goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from zsgate.errors import MachineFailed, UsageProblem
from zsgate.models.environments.environment import BUILT, Environment
from zsgate.models.worker import zsgate_worker
from zsgate.system.files import locked, make_folder
from zsgate.system.progress import waiting

SHOWN = 12  # last lines of an installer that failed
INSTALLED = """
from importlib.metadata import distributions
print(*sorted({f"{each.metadata['Name']}=={each.version}" for each in distributions()}), sep="\\n")
"""


def build(environment: Environment) -> bool:
    """Make an environment, and return whether there was anything to do.

    The last thing written says that it is complete; what was begun and not ended is removed, by an error at once and
    after this process was killed by the next call.

    Raises
    ------
    UsageProblem
        If it cannot be made: there is nothing to make it from, or no Python of the version that it needs.
    MachineFailed
        If an installer fails.
    """
    if environment.state == "impossible":
        raise UsageProblem(environment.missing())
    make_folder(environment.place.parent)
    with locked(environment.place.parent / f"{environment.name}.lock"):
        if environment.state == "built":
            return False
        try:
            if environment.said.split()[:1] != environment.digest.split()[:1]:
                _install(environment)
            _complete(environment)
        except BaseException:
            shutil.rmtree(environment.place, ignore_errors=True)
            raise
    return True


def _install(environment: Environment) -> None:
    """Make the environment's interpreter and install what it requires."""
    place, version, uv = environment.place, environment.card.python, shutil.which("uv")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o755)
    words = [uv, "venv", "--python", version] if uv else [find_python(version), "-m", "venv"]
    _run([*words, str(place / "venv")], f"{environment.name}: making an environment of Python {version}")
    pip = [uv, "pip", "install", "--python", str(environment.python)] if uv else []
    pip = pip or [str(environment.python), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    wanted = str(environment.source / "requirements.txt")
    _run([*pip, "--requirement", wanted], f"{environment.name}: installing its requirements")


def _complete(environment: Environment) -> None:
    """Put the code beside the interpreter, and write down what there is."""
    for path in (environment.source / "worker.py", Path(zsgate_worker.__file__)):
        shutil.copy(path, environment.place / path.name)
    installed = _run([str(environment.python), "-E", "-s", "-c", INSTALLED], f"{environment.name}: looking at it")
    part = environment.place / f"{BUILT}.part"
    part.write_text("\n".join([environment.digest, *installed, ""]), encoding="utf-8")
    part.replace(environment.place / BUILT)


def find_python(version: str) -> str:
    """Return an interpreter of a version, ``"3.11"``.

    Raises
    ------
    UsageProblem
        If there is none.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    if (found := shutil.which(f"python{version}")) is not None:
        return found
    msg = f"Python {version} is needed and not here; install it, or uv, which fetches it by itself"
    raise UsageProblem(msg)


def _run(words: Sequence[str], what: str) -> list[str]:
    """Run a program, say at least twice a minute that it runs, and return the lines that it wrote.

    Raises
    ------
    MachineFailed
        If it fails, with its last lines.
    """
    lines: list[str] = []
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    with waiting(what):
        done = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )
        assert done.stdout is not None
        with done.stdout:
            lines.extend(line.decode(errors="replace").rstrip() for line in done.stdout)
    if done.wait():
        last = "\n".join(f"  {line}" for line in lines[-SHOWN:])
        msg = f"{what} failed (exit status {done.returncode}); its last lines:\n{last}"
        raise MachineFailed(msg)
    return lines

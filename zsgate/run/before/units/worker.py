"""Worker: what a process of a pool or of a cluster does with a unit."""

from __future__ import annotations

import platform
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import zsgate
from zsgate.config.config import Config
from zsgate.errors import in_words
from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.models.device import NATIVE_BFLOAT16, chosen, cpu_flags
from zsgate.run.before.units.unit import Unit
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.cache import find_folder
from zsgate.system.parallel.parts import KIND, is_asked, only
from zsgate.system.sources import code_of, versions
from zsgate.system.store import Store

SIGN = "controller"  # file of a run's folder that tells a worker that it sees the same folder
_RUNS: dict[str, Run] = {}
_LOCK = threading.RLock()  # models, compiled loops and their threads are a whole process's


@dataclass(frozen=True, slots=True)
class Setting:
    """What a process must know of a run to do a part of it.

    Attributes
    ----------
    config
        What the user asked for; its cache folder is given.
    folder
        Where pytest was started.
    run
        Identity of the run.
    code
        What the controller computes with: :func:`identity`.
    """

    config: Config
    folder: Path
    run: str
    code: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a unit.

    Attributes
    ----------
    seconds
        That it took.
    failed
        Why it could not be done, in words; empty if it was.
    """

    seconds: float
    failed: str = ""


class Shared(Store):
    """A store whose processes each do a part of a whole, which none of them locks or keeps."""

    def _lock(self, path: Path, held: ExitStack) -> bool:
        """Hold a lock, and return whether that can be done."""
        if is_asked() and path.parent.name != KIND:
            return False
        return super()._lock(path, held)


def identity() -> str:
    """Return what must be alike for two processes to compute the same: code, packages, and the formats of the CPU."""
    packages = ", ".join(f"{name} {version}" for name, version in versions("numpy", "scipy", "torch").items())
    formats = "with" if NATIVE_BFLOAT16 & set(cpu_flags() or ()) else "without"
    ours = f"zsgate {zsgate.__version__} ({code_of(Run.__module__)[:12]})"
    return f"{ours}, Python {'.'.join(platform.python_version_tuple()[:2])}, {packages}, {formats} bfloat16"


def do(setting: Setting, unit: Unit | None) -> Done:
    """Do a unit of a run, or see whether one could be done; what was done before costs nothing.

    Parameters
    ----------
    setting
        Of the run.
    unit
        What to do; None for nothing.
    """
    started = time.perf_counter()
    with _LOCK:
        try:
            failed = _why_not(setting)
            if unit is not None and not failed:
                _do(_run_of(setting), unit)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the boundary to code that is not ours: a test will say what is wrong
            failed = in_words(error)
    return Done(time.perf_counter() - started, failed)


def _do(run: Run, unit: Unit) -> None:
    work = unit.work(run)
    if unit.part:
        only(unit.step, unit.part, work)
    else:
        work()


def _why_not(setting: Setting) -> str:
    """Return why this process can do nothing for a run, or an empty string."""
    if (here := identity()) != setting.code:
        return f"a worker on {platform.node()} computes with {here}, and the run with {setting.code}"
    sign = find_folder(setting.config.cache) / "runs" / setting.run / SIGN
    if not sign.is_file():
        return f"a worker on {platform.node()} does not see {sign.parent}: the cache folder must be one that all share"
    return ""


def leave() -> None:
    """End the processes of models that this one has started, and forget the run."""
    with _LOCK:
        for run in _RUNS.values():
            run.close()
        _RUNS.clear()


def _run_of(setting: Setting) -> Run:
    """Return the run as this process has it; that of another run before it is let go."""
    if setting.run not in _RUNS:
        leave()
        BACKEND.device = chosen(setting.config.gpu)
        root = find_folder(setting.config.cache)
        stores = Shared(root, setting.run, setting.config.fresh), Shared(root / "runs" / setting.run, setting.run)
        _RUNS[setting.run] = Run(setting.config, setting.folder, Ledger(*stores))
    return _RUNS[setting.run]

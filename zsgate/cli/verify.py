"""Verify: what each thing in the cache folder is, by reading it all. No noun of the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zsgate.errors import UsageProblem
from zsgate.system import cache
from zsgate.system.files import EARLIER, sha256_of, why
from zsgate.system.progress import steps
from zsgate.system.store import verify
from zsgate.system.store.verify import Finding, State, verify_folder

COPY = re.compile("[0-9a-f]{32}")  # name of a copy of counts
NOTES = (".seen.json", ".sha256")  # beside a download whose digest nobody published: what it was at first


def findings(root: Path) -> Iterator[tuple[str, Finding]]:
    """Yield (kind, what was found) of every entry in the cache folder.

    Raises
    ------
    UsageProblem
        If it is none, or a folder in it cannot be read.
    """
    cache.refuse_what_is_no_folder(root)
    try:
        with suppress(FileNotFoundError):
            next(root.iterdir(), None)  # so that a folder that cannot be looked into never counts as empty
    except OSError as error:
        raise _unreadable(root, error) from None
    entries = cache.contents(root)
    with steps("cache: verifying", len(entries), "entry") as advance:
        for kind, folders in cache.FOLDERS.items():
            for name in folders:
                try:
                    for finding in _of_kind(kind, root, root / name):
                        yield kind, finding
                        advance(1)
                except OSError as error:
                    raise _unreadable(root / name, error) from None


def remove(kind: str, finding: Finding) -> bool:
    """Remove what is damaged, and return whether it is gone."""
    if kind == "counts":
        return bool(cache.remove([cache.CacheEntry(kind, finding.paths, 0, 0.0)]))
    return verify.remove(finding)


def _unreadable(folder: Path, error: OSError) -> UsageProblem:
    return UsageProblem(f"{folder} cannot be read ({why(error)}); --cache DIR or ZSGATE_CACHE names another")


def _of_kind(kind: str, root: Path, folder: Path) -> Iterator[Finding]:
    if kind == "downloads":
        yield from _downloads(root, folder)
    elif kind in ("counts", "kernels", "environments"):
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in inside:
            if path.suffix != ".lock":
                yield _copy(path) if kind == "counts" else Finding((path,), State.UNKNOWN)
    elif kind == "runs":
        for run in sorted(folder.iterdir()) if folder.is_dir() else []:
            for each in sorted(run.iterdir()) if run.is_dir() else []:
                yield from verify_folder(each)
    else:
        yield from verify_folder(folder)


def _copy(path: Path) -> Finding:
    """Return what a copy of counts is."""
    from zsgate.data.mapped import fault_in

    if path.name.startswith((".part-", "part-")):
        return Finding((path,), State.UNFINISHED)
    if not COPY.fullmatch(path.name) or not path.is_dir():
        return Finding((path,), State.FOREIGN)
    fault = fault_in(path)
    state = State.EARLIER if fault == EARLIER else State.DAMAGED if fault else State.SOUND
    return Finding((path,), state, fault)


def _downloads(root: Path, folder: Path) -> Iterator[Finding]:
    """Yield what each downloaded file is, by the digest that was published or, of others, first seen."""
    published = _published(root)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.name.endswith((*NOTES, ".lock")):
            continue
        expected = published.get(path) or _first_seen(path)
        if not expected:
            yield Finding((path,), State.UNKNOWN)
        elif sha256_of(path) == expected:
            yield Finding((path,), State.SOUND)
        else:
            said = "published" if published.get(path) else "first seen"
            yield Finding((path,), State.DAMAGED, f"its sha256 is not the one {said}")


def _published(root: Path) -> dict[Path, str | None]:
    """Return the published digest of each file of the catalogue and of each checkpoint, where there is one."""
    from zsgate.data.catalogue.cards import CARDS
    from zsgate.data.catalogue.files import home_of
    from zsgate.models.pretrained.checkpoints import CHECKPOINTS

    found = {
        root / "datasets" / home_of(card) / file.name: file.sha256 for card in CARDS.values() for file in card.files
    }
    for name, checkpoint in CHECKPOINTS.items():
        found |= {root / "weights" / name / file.name: file.sha256 for file in checkpoint.files}
    return found


def _first_seen(path: Path) -> str | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return str(json.loads(path.with_name(f"{path.name}.seen.json").read_text(encoding="utf-8"))["sha256"])
    with suppress(OSError, ValueError):
        return path.with_name(f"{path.name}.sha256").read_text(encoding="utf-8").strip()
    return None

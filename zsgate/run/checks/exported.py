"""Exported embeddings: which of those that are kept few cells can prove on another machine, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zsgate.errors import UsageProblem, unknown
from zsgate.run.checks.imported import KIND, PROOF
from zsgate.system.store.entry import Archive

Header = dict[str, Any]
DAMAGED = "it is damaged or of an earlier version; zsgate cache verify says which"
PERTURBED = "it is of cells that were perturbed, and quickly made again"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is exported.

    Attributes
    ----------
    embeddings
        Those that few cells can prove.
    proofs
        Rows of few cells by which embeddings of models of one's own are called.
    left_out
        How many embeddings are not, by the reason.
    """

    embeddings: list[Archive] = field(default_factory=list)
    proofs: list[Archive] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def choose(root: Path, models: Collection[str] = (), datasets: Collection[str] = ()) -> Chosen:
    """Return what to export of the embeddings in a cache folder, each read and found sound.

    Parameters
    ----------
    root
        The cache folder.
    models, datasets
        Names as runs had them; none takes all. Untrained twins go with the model that they are twins of.

    Raises
    ------
    UsageProblem
        If nothing is kept of a model or a dataset that is named.
    """
    chosen = Chosen()
    kept = [(entry, header) for entry in _archives(root / KIND) if (header := _header(entry, chosen.left_out))]
    _refuse_unknown("model", models, {str(header["key"].get("who")) for _, header in kept})
    _refuse_unknown("dataset", datasets, {str(_about(header).get("dataset")) for _, header in kept})
    own = [each for _, header in kept if header["key"].get("who") in models for each in _fingerprints(header)]
    claimed: set[tuple[str, str]] = set()
    for entry, header in kept:
        who, of, about = header["key"].get("who"), header["key"]["dataset"], _about(header)
        is_twin = who == "random_init" and any(each in own for each in _fingerprints(header))
        if (models and who not in models and not is_twin) or (datasets and about.get("dataset") not in datasets):
            continue
        if objection := about.get("objection", PERTURBED) or _damage(entry):
            chosen.left_out[str(objection)] += 1
        else:
            chosen.embeddings.append(entry)
            claimed |= {(each, of) for each in _fingerprints(header) if header["key"].get("proof")}
    for entry in _archives(root / PROOF):
        found = _header(entry, Counter())
        if found and (found["key"]["fingerprint"], found["key"]["dataset"]) in claimed and not _damage(entry):
            chosen.proofs.append(entry)
    return chosen


def _archives(folder: Path) -> list[Archive]:
    return [Archive(path) for path in sorted(folder.glob("*.npz")) if not path.name.startswith(".")]


def _header(entry: Archive, left_out: Counter[str]) -> Header | None:
    """Return the header of an archive; None of one that is damaged, which is counted."""
    try:
        return entry.header()
    except Exception:  # the boundary to files: what was done to one makes reading it fail in any way
        left_out[DAMAGED] += 1
        return None


def _about(header: Header) -> Header:
    return header.get("about") or {}


def _fingerprints(header: Header) -> list[str]:
    found = header["key"].get("fingerprint")
    return found if isinstance(found, list) else [found]


def _damage(entry: Archive) -> str:
    """Return why an entry cannot be exported after all; empty if all of it is as it was written."""
    try:
        entry.read()
    except Exception:  # the boundary, as above
        return DAMAGED
    return ""


def _refuse_unknown(what: str, names: Collection[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            msg = f"no embedding is kept of this {what}: {unknown(what, name, tuple(sorted(known)))}"
            raise UsageProblem(msg)

"""Weights of one's own: a checkpoint that is in no catalogue, and published names on files that are not the published.

Nothing published is said of them: no citation, no licence, no pretraining data.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from zsgate.data.file.path import expanded
from zsgate.errors import UsageProblem
from zsgate.models.pretrained.checkpoint import Checkpoint, WeightFile
from zsgate.models.pretrained.checkpoints import CHECKPOINTS, TABLE
from zsgate.models.pretrained.weights import FoundFile, find_files
from zsgate.system.cache import find_folder

FAMILIES: dict[str, tuple[WeightFile, ...]] = {family.name: family.own for family in TABLE}


def find_checkpoint(
    name: str, weights: str | Path | None, cache: Path | None, *, offline: bool
) -> tuple[Checkpoint, dict[str, FoundFile]]:
    """Return what is known of a checkpoint, and its files by name; dictionaries of genes only of a published one.

    Parameters
    ----------
    name
        Of a published checkpoint, or of a family, which means whatever is in ``weights``.
    weights
        The user's folder of files; None takes the published ones.
    cache
        Folder of downloads; None is the platform's cache folder.
    offline
        Whether nothing may be downloaded.

    Raises
    ------
    UsageProblem
        If a family is named and no folder, or a file is absent or altered.
    """
    home = find_folder(cache)
    if weights is None:
        if name not in CHECKPOINTS:
            raise UsageProblem(_describe_folderless(name))
        return CHECKPOINTS[name], find_files(CHECKPOINTS[name], None, home, offline=offline)
    folder = expanded(weights)
    if name not in CHECKPOINTS:
        checkpoint = _own(Path(os.path.abspath(folder)).name, name)  # noqa: PTH100  a link is called as it is typed
        return checkpoint, find_files(checkpoint, folder, home, offline=offline)
    published = CHECKPOINTS[name]
    own = {file.name for file in FAMILIES[published.family]}
    files = tuple(file for file in published.files if file.name in own or not file.name.endswith(".pkl"))
    found = find_files(replace(published, files=files), folder, home, offline=offline)
    if found[files[0].name].status == "other":  # the model's own; its settings may be written otherwise
        return _own(name, published.family), found
    return published, found


def _own(name: str, family: str) -> Checkpoint:
    """Return what is known of somebody's own weights; no table of published ones is to find their name."""
    taken = name in CHECKPOINTS or name in FAMILIES or not name
    return Checkpoint(
        name=f"{name or family}@own" if taken else name,
        family=family,
        files=FAMILIES[family],
        page="your own training",
        citation="",
        code_licence="unknown",
        weights_licence="unknown",
        notes=(f"own weights of the family {family}{_not_published(name)}: what they saw in pretraining is not known",),
        own=True,
    )


def _not_published(name: str) -> str:
    return f" that are not those published as {name}" if name in CHECKPOINTS else ""


def _describe_folderless(family: str) -> str:
    published = ", ".join(name for name, each in CHECKPOINTS.items() if each.family == family)
    files = ", ".join(file.name for file in FAMILIES[family])
    return (
        f"{family} means a checkpoint of your own: name the folder that has its files ({files}) with --weights DIR; "
        f"published ones are {published}"
    )

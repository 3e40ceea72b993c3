"""Settings: what a caller may say, and the config of a run that it makes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypedDict

from zsgate.baselines import BASELINES, ON_REQUEST
from zsgate.config.config import Config
from zsgate.config.parse import FEWEST_CELLS
from zsgate.data.annotations import Columns
from zsgate.errors import UsageProblem

TWINS = "random_init"  # of a model; rows have none


class Settings(TypedDict, total=False):
    """What a caller may say beside the columns.

    Attributes
    ----------
    layer
        Where the counts are: a layer, ``"X"`` or ``"raw"``; without it, layers["counts"], raw and X are looked at.
    name
        What the cells are called; an earlier verdict.json is compared by it. ``"adata"`` if nothing is said.
    not_labels
        Labels that are no cell types: cells with them are left out.
    metrics, require
        Metrics to compute as well, and advisory ones that decide all the same.
    cells
        How many cells are judged on at most; 0 takes all.
    scope
        What verdicts speak for: new ``"donors"``, or these donors' ``"cells"`` only.
    policy, margin
        What passes, and the difference that counts as better.
    seeds
        Draws of what draws chance.
    maps
        Draw UMAPs for the page, which decide nothing; as a run of the gate does, unless this is false.
    gpu
        Compute baselines and distances on CUDA.
    cache, fresh
        Folder of what is kept between runs, and whether to read nothing of it.
    """

    layer: str | None
    name: str
    not_labels: str | Sequence[str]
    metrics: str | Sequence[str]
    require: str | Sequence[str]
    cells: int | None
    scope: str
    policy: str
    margin: float
    seeds: int | None
    maps: bool
    gpu: bool
    cache: str | Path | None
    fresh: bool


def listed(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return names as a tuple; one alone need not be in a list."""
    return (names,) if isinstance(names, str) else tuple(names)


def names_of(against: str | Sequence[str] | None) -> list[str]:
    """Return the names of what is compared with, each once."""
    if against is None:
        return [name for name in BASELINES if name not in (*ON_REQUEST, TWINS)]
    names = list(dict.fromkeys(map(str, listed(against))))
    if not names:
        msg = "against names nothing to compare with, such as ['hvg', 'X_pca']"
        raise UsageProblem(msg)
    return names


def config_of(key: str, names: Sequence[str], columns: Columns, settings: Settings) -> Config:
    """Return the settings of the run; those of a pyproject.toml are a gate's and none of a notebook's."""
    name, cells = settings.get("name", "adata"), settings.get("cells")
    if not name or Path(name).name != name:
        msg = f"name {name!r}: it is part of the name of every test, so it must be a word without slashes"
        raise UsageProblem(msg)
    if cells is not None and 0 != cells < FEWEST_CELLS:
        msg = f"cells must be at least {FEWEST_CELLS}, or 0 for all, not {cells}"
        raise UsageProblem(msg)
    past = [each for each in names if each.endswith(".json")]
    if len(past) > 1:
        msg = f"against: {len(past)} files of earlier runs; name one"
        raise UsageProblem(msg)
    folder = settings.get("cache") or os.environ.get("ZSGATE_CACHE")
    return Config(
        model=key,
        datasets=(name,),
        **asdict(columns),
        against=past[0] if past else None,
        baselines=tuple(each for each in names if each in ON_REQUEST),
        metrics=listed(settings.get("metrics", ())),
        require=listed(settings.get("require", ())),
        cells=cells,
        scope=settings.get("scope", "donors"),
        policy=settings.get("policy", "beats"),
        margin=settings.get("margin", 0.0),
        seeds=settings.get("seeds"),
        no_maps=not settings.get("maps", True),
        gpu=settings.get("gpu", False),
        cache=None if folder is None else Path(folder).expanduser(),
        fresh=settings.get("fresh", False),
    )

"""What the values of [tool.zsgate] mean as settings, or that they are none, told without zsgate's parsers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zsgate.config.config import ISOLATIONS
from zsgate.data.catalogue.tiers import TIERS
from zsgate.data.dataset import SCOPES
from zsgate.data.leakage.exposure import ACTIONS
from zsgate.verdict.recipe import RECIPES
from zsgate.verdict.terms import POLICIES

WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
TEXTS = ("label", "batch", "donor", "counts", "against", "cluster")
CHOICES = {"tier": tuple(TIERS), "recipe": tuple(RECIPES), "policy": POLICIES, "scope": SCOPES}
CHOICES |= {"leakage": ACTIONS, "isolation": ISOLATIONS}
SWITCHES = ("gpu", "offline", "no_maps", "cache_shared", "fresh")
PATHS = ("weights", "report", "cache")
LISTS = ("datasets", "metrics", "require", "baselines", "not_labels")
NUMBERS = ("seeds", "cells", "margin", "timeout", "memory")
NO = object()  # what no setting can be
DURATIONS = {"45m": 2700, "2h": 7200, "1h30m": 5400, "0s": NO, f"{'9' * 400}h": NO}


def meant(key: str, value: Any, folder: Path) -> Any:
    """Return what a value means as a setting, NO where it is none, None where only its parts can be looked at."""
    if key in CHOICES:
        return value if isinstance(value, str) and value in CHOICES[key] else NO
    if key == "budget":
        return DURATIONS.get(value) if isinstance(value, str) else NO
    if key in TEXTS:
        return value if isinstance(value, str) and value else NO
    if key in SWITCHES:
        return value if isinstance(value, bool) else WORDS.get(value.lower(), NO) if isinstance(value, str) else NO
    if key in PATHS:
        return _path(value, folder)
    if key in NUMBERS:
        return _number(key, value)
    if key in (*LISTS, "judge_on"):
        return None if isinstance(value, list | str) or (key == "datasets" and isinstance(value, dict)) else NO
    return _tables(key, value) if key in ("models", "threshold", "waiver") else None if key == "mirror" else NO


def _path(value: Any, folder: Path) -> Any:
    if not isinstance(value, str) or not value or "\0" in value:
        return NO
    return None if value.startswith("~") else folder / value


def _number(key: str, value: Any) -> Any:
    kinds: dict[str, tuple[Callable[[Any], Any], Callable[[Any], bool]]] = {
        "seeds": (int, lambda number: number >= 2),
        "cells": (int, lambda number: number >= 100),
        "margin": (float, lambda number: 0 <= number < 1),
        "timeout": (float, lambda number: 0 < number < 1e9),
        "memory": (lambda each: int(float(each) * 1e9), lambda number: number >= 1),
    }
    read, holds = kinds[key]
    if isinstance(value, str):
        return None  # text of a number is read as Python reads it
    if isinstance(value, bool) or not isinstance(value, int | float) or (read is int and isinstance(value, float)):
        return NO
    if isinstance(value, float) and not math.isfinite(value):
        return NO
    try:
        number = read(value)
    except OverflowError:
        return NO
    return number if holds(number) else NO


def _tables(key: str, value: Any) -> Any:
    """Return NO where tables hold what no such table may."""
    if key == "models":
        return None if isinstance(value, dict) and all(isinstance(each, dict) for each in value.values()) else NO
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return NO
    for each in value:
        number = each.get("margin", each.get("max_deficit", 0))
        fits = isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < 1e10
        if not isinstance(each.get("match"), str) or not fits:
            return NO
    return None

"""The record of a run: plain builtins, strict enough for JSON, with every key that a page reads."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping
from typing import Any

SCHEMA = "zsgate.verdict/1"

Record = dict[str, Any]

# what no page can show: controls (escape sequences of terminals among them), characters that turn the reading
# direction around, halves of surrogate pairs
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")

_LISTS = (
    "verdicts",
    "scores",
    "checks",
    "waivers",
    "controls",
    "failures",
    "not_tested",
    "datasets",
    "coverage",
    "baselines",
    "metrics",
    "reconstruction",
    "timings",
    "caveats",
)

_CARD: Record = {
    "name": "", "citation": "", "code_licence": "unknown", "weights_licence": "unknown", "weights": [],
    "dimensions": None, "stochastic": None, "independent_cells": None, "trains_on_target": None,
    "pretraining": None, "notes": [],
}  # fmt: skip

_ENTRY: dict[str, Record] = {
    "verdicts": {
        "nodeid": "", "claim": "", "suite": "", "model": "", "dataset": "", "metric": "", "baseline": "",
        "ours": None, "theirs": None, "difference": None, "ci": None, "level": 0.9, "outcome": "inconclusive",
        "passed": False, "advisory": False, "waiver": None, "threshold": None, "policy": "beats", "margin": 0.0,
        "unit": "donor", "n_units": 0, "n_effective": None, "balanced": None,
        "seeds": {}, "se": None, "variance": {}, "p": None, "p_holm": None, "detectable": None, "df": None,
        "reason": "", "sentence": "", "paired": True,
        "pretraining": {"status": "unknown", "source": ""},
    },
    "controls": {
        "nodeid": "", "control": "", "dataset": "", "metric": "", "baseline": None, "expected": "", "got": "",
        "passed": False, "too_little": False, "why": "", "sentence": "",
    },
    "failures": {
        "nodeid": "", "what": "gate", "dataset": None, "metric": None, "baseline": None, "message": "",
    },
    "waivers": {
        "match": "", "reason": "", "owner": "", "expires": "", "max_deficit": None, "state": "", "tests": 0,
    },
    "checks": {"dataset": "", "check": "", "cells": 0, "moved": None, "typical": None, "apart": None},
    "not_tested": {"what": "", "suite": None, "dataset": None, "metric": None, "baseline": None, "reason": ""},
    "datasets": {
        "name": "", "n_cells": None, "n_genes": None, "n_cell_types": None, "n_batches": None,
        "n_donors": None, "scope": "donors", "source": "", "licence": "", "citation": "", "notes": [],
        "pretraining": {"status": "unknown", "source": ""},
    },
    "coverage": {
        "model": "", "dataset": "", "gene_ids": "symbol", "n_genes": None, "n_mapped": None, "n_vocabulary": None,
        "share_counts": None, "share_counts_low": None, "unmapped": [], "shared": None, "like_ensembl": None,
        "versioned": None, "hint": "",
    },
    "baselines": {"name": "", "dataset": None, "notes": {}},
    "metrics": {"name": "", "card": ""},
    "reconstruction": {
        "dataset": "", "scale": "", "masked": 0.0, "heads": [], "groups": "", "in_sample": False, "n_cells": None,
        "n_scored": None, "values": {}, "noise_floor": None, "copied": {}, "nearly": 0.01, "described": {},
        "figures": {},
    },
    "timings": {"what": "", "dataset": None, "seconds": None, "cached": False},
}  # fmt: skip


def complete(record: Mapping[str, Any]) -> Record:
    """Return a copy of ``record`` in strict builtins, with a default for every key left out.

    NaN and infinities become None, tuples lists, and characters that no page can show U+FFFD; keys that this
    version does not know are kept.

    Raises
    ------
    TypeError
        If a value is neither a mapping, a sequence, a string, a number nor None; says where.
    """
    plain = _strict(record, "record")
    defaults: Record = {
        "schema": SCHEMA, "gate": "broke", "model": "", "model_card": None, "recipe": {}, "tier": "",
        "policy": "beats", **{name: [] for name in _LISTS}, "provenance": {},
    }  # fmt: skip
    whole = _filled(plain, defaults)
    whole["recipe"] = _filled(whole["recipe"], {"id": "", "hash": "", "settings": {}})
    if whole["model_card"] is not None:
        whole["model_card"] = _filled(whole["model_card"], _CARD)
    for name, entry in _ENTRY.items():
        whole[name] = [_filled(given, entry) for given in whole[name]]
    return whole


def _filled(given: Record, defaults: Record) -> Record:
    """Return ``given`` over ``defaults``; None gives way to the default."""
    return {**defaults, **{key: value for key, value in given.items() if value is not None or key not in defaults}}


def _strict(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _UNSHOWABLE.sub("\ufffd", value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_strict(str(key), where): _strict(entry, f"{where}[{key!r}]") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(entry, f"{where}[{position}]") for position, entry in enumerate(value)]
    msg = f"{where} is a {type(value).__name__}; a record holds builtins only"
    raise TypeError(msg)


def deciding(verdicts: list[Record]) -> list[Record]:
    """Return the verdicts that decide the run."""
    return [verdict for verdict in verdicts if not verdict["advisory"]]


def missed(verdicts: list[Record]) -> list[Record]:
    """Return the verdicts that decide the run, did not pass and are not waived."""
    return [verdict for verdict in deciding(verdicts) if not verdict["passed"] and verdict["waiver"] is None]


def distinct(entries: list[Record], key: str) -> list[str]:
    """Return the values of ``key`` in order of first appearance, without None and empty ones."""
    return [value for value in dict.fromkeys(entry[key] for entry in entries) if value]

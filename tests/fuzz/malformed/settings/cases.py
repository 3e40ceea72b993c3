"""[tool.zsgate] with known and unknown keys, values of any type, and files that are no TOML."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from malformed.kind import Came, Lost, refusal
from malformed.settings.meant import CHOICES, DURATIONS, LISTS, NO, NUMBERS, PATHS, SWITCHES, TEXTS, WORDS, meant
from zsgate.baselines import BASELINES
from zsgate.config.config import Config
from zsgate.models import MODELS

OTHERS = (
    "mirror",
    "budget",
    "models",
    "threshold",
    "waiver",
    "model",
    "own",
    "typed",
    "pyproject",
    "judge_on",
    "sedes",
    "x.y",
)
KEYS = (*TEXTS, *CHOICES, *SWITCHES, *PATHS, *LISTS, *NUMBERS, *OTHERS)


@dataclass(frozen=True)
class Case:
    """A pyproject.toml: the keys of its table, and bytes around it.

    Attributes
    ----------
    table
        What is written into ``[tool.zsgate]``.
    before, after
        Bytes in front of it and behind it.
    header
        The table's own line.
    """

    table: tuple[tuple[str, Any], ...]
    before: bytes = b""
    after: bytes = b""
    header: str = "[tool.zsgate]"

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the values of keys can be wrong with it."""
        return not self.before.strip() and not self.after.strip() and self.header == "[tool.zsgate]"


@cache
def _texts() -> st.SearchStrategy[str]:
    known = [word for words in (*CHOICES.values(), WORDS, BASELINES) for word in words]
    odd = ["", " ", "all", "3", "0.5", "16GB", "nan", "inf", "~", "~nobody_at_all/x", "a,b", ",", "/x/y", "\0", "a\nb"]
    long = st.builds(lambda letter, n: letter * n, st.sampled_from("aä☃\u202e"), st.sampled_from([40, 3000]))
    return st.one_of(st.sampled_from([*known, *odd, "robustness", "http://x/y"]), st.text(max_size=8), long)


@cache
def _numbers() -> st.SearchStrategy[int | float]:
    huge = st.sampled_from([10**18, -(10**30), 10**400, 10**5000, 2**63, -1, 0, 1, 2, 3, 100, 250])
    return st.one_of(huge, st.integers(-5, 300), st.floats(), st.sampled_from([0.0, 0.02, 0.5, 1e308, 1e10]))


@cache
def _values(depth: int = 2) -> st.SearchStrategy[Any]:
    dates = st.sampled_from([date(2027, 1, 31), datetime(2027, 1, 31, 12), time(3, 4)])
    plain = st.one_of(st.booleans(), _numbers(), _texts(), dates)
    if not depth:
        return plain
    inner = _values(depth - 1)
    return st.one_of(plain, st.lists(inner, max_size=3), st.dictionaries(_texts(), inner, max_size=2))


@cache
def _fitting(key: str) -> st.SearchStrategy[Any]:
    """Return values that are likely for a key."""
    if key in CHOICES:
        return st.sampled_from(CHOICES[key])
    plain = st.one_of(st.text("abcXYZ_-/. +é☃", min_size=1, max_size=9), _texts())
    likely: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(SWITCHES, st.one_of(st.booleans(), st.sampled_from(sorted(WORDS)))),
        **dict.fromkeys((*TEXTS, *PATHS, "mirror"), plain),
        **dict.fromkeys(LISTS, st.one_of(st.lists(plain, max_size=3), plain)),
        **dict.fromkeys(("seeds", "cells"), st.integers(2, 10_000)),
        **dict.fromkeys(("margin", "timeout", "memory"), st.floats(0, 2)),
        "budget": st.sampled_from(sorted(DURATIONS)),
        "baselines": st.lists(st.sampled_from(sorted(BASELINES)), min_size=1, max_size=2),
        "threshold": st.lists(_rows(("match", "policy", "margin", "threshold", "owner")), max_size=2),
        "waiver": st.lists(_rows(("match", "reason", "owner", "expires", "max_deficit", "model")), max_size=2),
        "models": st.dictionaries(_names_of_models(), _rows(("weights", "dtype", "timeout", "command", "memory"))),
    }
    tables = st.dictionaries(_texts(), _rows(("path", "label", "scope", "counts", "x")), min_size=1, max_size=2)
    if key == "datasets":
        return st.one_of(likely[key], tables)
    return likely.get(key, _texts())


@cache
def _names_of_models() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(["scgpt_human", "cellama", "pkg.mod:Model", "mine"]), _texts())


@cache
def _rows(keys: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    good = {"match": "*-hvg-*", "policy": "point", "margin": 0.1, "threshold": 0.5, "reason": "r", "owner": "Ada"}
    good |= {"expires": date(2027, 1, 31), "max_deficit": 0.2, "path": "a.h5ad", "label": "cell_type", "scope": "cells"}
    cells = {key: st.one_of(st.just(good.get(key, "x")), _values(1)) for key in keys}
    return st.fixed_dictionaries({}, optional=cells)


def cases() -> st.SearchStrategy[Case]:
    """Return tables of some keys, and now and then bytes that are no TOML."""
    entry = st.sampled_from((*KEYS[: -len(OTHERS)] * 4, *OTHERS)).flatmap(_entries)
    table = st.lists(entry, max_size=4, unique_by=lambda each: each[0]).map(tuple)
    odd = st.one_of(
        st.sampled_from([b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"= =", b"x = " + b"[" * 5000, b'x = "']),
        st.sampled_from([b"x = " + b"[" * 400 + b"]" * 400, b"a." * 3000 + b"a = 1", b"[[tool]]", b"tool = 3"]),
        st.binary(max_size=6),
    )
    header = st.sampled_from(
        ["[tool.zsgate]"] * 6 + ["[[tool.zsgate]]", "[tool]\nzsgate = 3", "tool = [1]", "[tool.x]"]
    )
    damaged = st.builds(Case, table, st.one_of(st.just(b""), odd), st.one_of(st.just(b""), odd), header)
    return st.integers(0, 5).flatmap(lambda turn: damaged if turn == 0 else st.builds(Case, table))


@cache
def _entries(key: str) -> st.SearchStrategy[tuple[str, Any]]:
    """Return a key with values, three in four of them likely ones."""
    fitting = _fitting(key)
    values = st.integers(0, 3).flatmap(lambda turn: _values() if turn == 0 else fitting)
    return st.tuples(st.just(key), values)


def written(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        letters = (each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08x}" for each in value)
        return '"' + "".join(letters) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(name)} = {written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, int):
        return hex(value) if value >= 10**4000 else str(value)
    return value.isoformat() if isinstance(value, date | time) else repr(value)


def check(case: Case, folder: Path) -> Came:
    """Return what came; whatever is accepted states exactly what was written."""
    lines = [case.header, *(f"{written(key)} = {written(value)}" for key, value in case.table)]
    path = folder / "pyproject.toml"
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    path.write_bytes(case.before + b"\n" * bool(case.before) + text + b"\n" + case.after)
    config, said = refusal(lambda: Config.gather({"model": "m"}, {}, folder, models=MODELS))
    if said:
        if not said.startswith(str(path)) and not any(key in said for key in CHOICES | dict.fromkeys(KEYS)):
            msg = f"the sentence names neither file nor key: {said}"
            raise Lost(msg)
        if case.is_plain and _all_right(dict(case.table), folder):
            msg = f"sound settings are refused: {said}"
            raise Lost(msg)
        return Came.REFUSED
    for key, value in case.table if case.is_plain else ():
        means = meant(key, value, folder)
        if means is NO or (means is not None and _found(config, key) != means):
            msg = f"{key} = {value!r:.200} was read as {_found(config, key)!r:.200}"
            raise Lost(msg)
    return Came.ACCEPTED


def _all_right(table: dict[str, Any], folder: Path) -> bool:
    """Return whether every value is known to be sound, and no two contradict each other."""
    if {"recipe", "cells"} <= table.keys() or {"judge_on", "datasets"} <= table.keys():
        return False
    return all(meant(key, value, folder) not in (NO, None) for key, value in table.items())


def _found(config: Config, key: str) -> Any:
    return getattr(config, "datasets" if key == "judge_on" else key, None)

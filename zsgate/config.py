"""Config: what the user asked for, from the command line, the environment, pyproject.toml and defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from zsgate.dataset import SCOPES
from zsgate.errors import UsageProblem
from zsgate.verdict import POLICIES

TIERS = {"quick": ("pancreas_quick",), "full": ("pancreas_hormone2cell",)}
TRUE, FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
MODEL_SETTINGS = ("weights", "preset", "dtype", "randomness")
WORDS = {
    "Mapping[str, Mapping[str, Any]]": "tables of models",
    "str": "text",
    "tuple[str, ...]": "names",
    "Path": "a path",
}
NOT_SETTINGS = ("ZSGATE_TEST_DATA",)  # variables that only zsgate's own tests read
ONLY_SPOKEN = "{}: only the command line names the model, so that plain pytest stays plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one run.

    Attributes
    ----------
    model
        Name of a packaged model, ``pkg.mod:attr``, or a path to embeddings; only the command line names it.
    gpu
        Run the candidate on CUDA, or refuse to run.
    weights
        Folder of the candidate's weights; None downloads the official files once.
    offline
        Touch no network: what is missing is an error that names it.
    models
        Settings of models by name: ``[tool.zsgate.models.scgpt_human]`` with weights, preset, dtype, randomness.
    datasets
        Names of the catalogue and paths of ``.h5ad`` files; empty takes the tier's.
    label, batch, donor, counts
        Where the files keep cell types, batches, donors and raw counts.
    tier
        Which datasets to judge on.
    scope
        What the user's own files can speak for: new ``donors``, or these donors' ``cells`` only.
    policy
        What passes: ``beats``, ``noninferior`` or ``point``.
    margin
        Difference that counts as better.
    seeds
        Number of draws of whatever draws chance; None takes 5 (scVI on the quick tier: 3).
    report
        Folder of the page.
    cache
        Folder of the store; None takes the platform's cache folder.
    """

    model: str
    gpu: bool = False
    weights: Path | None = None
    offline: bool = False
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None
    tier: str = "quick"
    scope: str = "donors"
    policy: str = "beats"
    margin: float = 0.0
    seeds: int | None = None
    report: Path = Path("zsgate-report")
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        for name, known in (("tier", tuple(TIERS)), ("policy", POLICIES), ("scope", SCOPES)):
            if getattr(self, name) not in known:
                raise UsageProblem(unknown(name, getattr(self, name), known))
        if not 0 <= self.margin < 1:
            msg = f"margin must be in [0, 1), not {self.margin:g}"
            raise UsageProblem(msg)
        if self.seeds is not None and self.seeds < 2:
            msg = f"seeds must be at least 2 to know the spread over seeds, not {self.seeds}"
            raise UsageProblem(msg)

    @classmethod
    def gather(cls, command_line: Mapping[str, Any], environment: Mapping[str, str], folder: Path) -> Self:
        """Return the settings: command line over ``ZSGATE_*`` over ``[tool.zsgate]`` over defaults.

        Parameters
        ----------
        command_line
            Options by field name; None and False are "not given".
        environment
            Variables; those named ``ZSGATE_<FIELD>`` are read, an empty one is "not given".
        folder
            Where pytest was started: the nearest pyproject.toml at or above it counts, and paths in the
            environment and on the command line are relative to it, those in pyproject.toml to its own folder.

        Raises
        ------
        UsageProblem
            If a value cannot be read, or a key or variable is unknown.
        """
        given = {name: value for name, value in command_line.items() if value is not None and value is not False}
        spoken = {name: _read(name, value, f"--{name}", folder) for name, value in given.items()}
        return cls(**{**_from_pyproject(folder), **_from_environment(environment, folder), **spoken})

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """What to judge on: the datasets named, or the tier's."""
        return self.datasets or TIERS[self.tier]


def unknown(what: str, value: str, known: tuple[str, ...]) -> str:
    """Return the sentence for a name that is not known, with the nearest that is."""
    near = nearest(value, known)
    hint = f"; did you mean {near!r}?" if near else ""
    return f"unknown {what} {value!r}{hint} (known: {', '.join(known)})"


def nearest(value: str, known: Sequence[str], cutoff: float = 0.4) -> str | None:
    """Return the name among ``known`` that looks most like ``value``, in whatever case, or None."""
    lower = {name.lower(): name for name in known}
    near = get_close_matches(value.lower(), lower, n=1, cutoff=cutoff)
    return lower[near[0]] if near else None


def _kinds() -> dict[str, str]:
    """Return the settings that a file or a variable may hold, with their types."""
    return {field.name: str(field.type) for field in fields(Config) if field.name != "model"}


def _from_environment(environment: Mapping[str, str], folder: Path) -> dict[str, Any]:
    variables = {f"ZSGATE_{name.upper()}": name for name in _kinds()}
    settings = {}
    for variable, text in environment.items():
        if not variable.startswith("ZSGATE_") or variable in NOT_SETTINGS or not text:
            continue
        if variable == "ZSGATE_MODEL":
            raise UsageProblem(ONLY_SPOKEN.format(variable))
        if variable not in variables:
            raise UsageProblem(unknown("variable", variable, tuple(variables)))
        settings[variables[variable]] = _read(variables[variable], text, variable, folder)
    return settings


def _from_pyproject(folder: Path) -> dict[str, Any]:
    path = next((path for place in (folder, *folder.parents) if (path := place / "pyproject.toml").is_file()), None)
    if path is None:
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # no TOML, no UTF-8
        msg = f"{path}: {error}"
        raise UsageProblem(msg) from None
    table = content.get("tool", {}).get("zsgate", {})
    where = f"{path}: [tool.zsgate]"
    if not isinstance(table, dict):
        msg = f"{where} must be a table"
        raise UsageProblem(msg)
    if "model" in table:
        raise UsageProblem(ONLY_SPOKEN.format(f"{where} model"))
    for key in table:
        if key not in _kinds():
            raise UsageProblem(f"{where} " + unknown("key", key, tuple(_kinds())))
    return {key: _read(key, value, f"{where} {key}", path.parent) for key, value in table.items()}


def _read(name: str, value: Any, origin: str, folder: Path) -> Any:
    """Return ``value`` as the setting's type; text is parsed, other types must fit."""
    kind = _kinds().get(name, "str").split(" |")[0]
    if value == "":
        msg = f"{origin} is empty"
        raise UsageProblem(msg)
    try:
        return _PARSERS[kind](value, folder)
    except UsageProblem as problem:
        msg = f"{origin}: {problem}"
        raise UsageProblem(msg) from None
    except (TypeError, ValueError, AttributeError, RuntimeError):  # the last: a home folder of nobody
        msg = f"{origin}: cannot read {value!r} as {WORDS.get(kind, kind)}"
        raise UsageProblem(msg) from None


def _text(value: Any, _: Path) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(kind: type[int] | type[float]) -> Callable[[Any, Path], float]:
    def parse(value: Any, _: Path) -> float:
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise TypeError
        return kind(value)

    return parse


def _tables(value: Any, folder: Path) -> dict[str, dict[str, Any]]:
    """Return tables of model settings with their paths made absolute."""
    for table in value.values():
        if strangers := set(table) - set(MODEL_SETTINGS):
            raise UsageProblem(unknown("model setting", min(strangers), MODEL_SETTINGS))
    return {
        name: {key: _place(_text(each, folder), folder) if key == "weights" else each for key, each in table.items()}
        for name, table in value.items()
    }


def _place(value: Any, folder: Path) -> Path:
    return folder / Path(value).expanduser()


def _names(value: Any, folder: Path) -> tuple[str, ...]:
    """Return names as they are and paths of files made absolute."""
    items = [item.strip() for item in (value.split(",") if isinstance(value, str) else value)]
    if not any(items):
        raise ValueError
    return tuple(str(_place(item, folder)) if item.endswith(".h5ad") else item for item in items if item)


def _switch(value: Any, _: Path) -> bool:
    if isinstance(value, bool):
        return value
    if _text(value, _).lower() not in TRUE + FALSE:
        raise ValueError
    return value.lower() in TRUE


_PARSERS: dict[str, Callable[[Any, Path], Any]] = {
    "Mapping[str, Mapping[str, Any]]": _tables,
    "bool": _switch,
    "float": _number(float),
    "int": _number(int),
    "Path": _place,
    "str": _text,
    "tuple[str, ...]": _names,
}

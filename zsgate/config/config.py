"""Config: what the user asked for, from the command line, the environment, pyproject.toml and defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from zsgate.config.parse import Address, read
from zsgate.data.dataset import SCOPES
from zsgate.data.file import is_file
from zsgate.data.leakage.exposure import ACTIONS
from zsgate.errors import UsageProblem, unknown
from zsgate.verdict.recipe import RECIPES
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.verdict import POLICIES
from zsgate.verdict.waiver import Waiver

TIERS = {
    "quick": ("pancreas_quick",),
    "pr": ("pancreas", "pbmc_12k"),
    "full": ("pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens"),
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
        Names of the user's tables and of the catalogue, and paths of ``.h5ad`` or ``.zarr`` files; empty takes all
        of the user's tables, or the tier's where there is none. In pyproject.toml beside tables: ``judge_on``.
    own
        The user's datasets by name: ``[tool.zsgate.datasets.NAME]`` with path, label, batch, donor, counts, scope.
    mirror
        Folder or address that has the catalogue's files, as ``zsgate data mirror`` writes them.
    label, batch, donor, counts
        Where the files keep cell types, batches, donors and raw counts.
    tier
        Which datasets to judge on; ``quick`` also trains scVI for a shorter time.
    recipe
        Choices that shape every score: ``default``, or ``kedzierska2023`` for the paper's.
    against
        Another model, or the verdict.json of an earlier run, to be judged against as well.
    metrics
        Metrics to compute as well that a run computes on request only.
    require
        Advisory metrics whose verdicts decide the run all the same.
    scope
        What the user's own files can speak for: new ``donors``, or these donors' ``cells`` only.
    leakage
        What to do with a verdict on a dataset that the candidate saw in pretraining: ``report`` it, or ``fail``.
    policy
        What passes: ``beats``, ``noninferior`` or ``point``.
    margin
        Difference that counts as better.
    threshold
        What single tests must reach: ``[[tool.zsgate.threshold]]`` over policy and margin.
    waiver
        Tests that may fail for a while: ``[[tool.zsgate.waiver]]``.
    seeds
        Number of draws of whatever draws chance; None takes 5 (scVI on the quick tier: 3).
    report
        Folder of the page.
    cache
        Folder of the store; None takes the platform's cache folder.
    typed
        Which of these the command line states.
    usual
        Names of the datasets that pyproject.toml has in mind, whatever the rest selects.
    """

    model: str
    gpu: bool = False
    weights: Path | None = None
    offline: bool = False
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    datasets: tuple[str, ...] = ()
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mirror: Address | None = None
    label: str | None = None
    batch: str | None = None
    donor: str | None = None
    counts: str | None = None
    tier: str = "full"
    recipe: str = "default"
    against: str | None = None
    metrics: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    scope: str = "donors"
    leakage: str = "report"
    policy: str = "beats"
    margin: float = 0.0
    threshold: tuple[Threshold, ...] = ()
    waiver: tuple[Waiver, ...] = ()
    seeds: int | None = None
    report: Path = Path("zsgate-report")
    cache: Path | None = None
    typed: frozenset[str] = field(default=frozenset(), compare=False)
    usual: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        """Refuse values that no run can use."""
        choices = (
            ("tier", tuple(TIERS)),
            ("recipe", tuple(RECIPES)),
            ("policy", POLICIES),
            ("scope", SCOPES),
            ("leakage", ACTIONS),
        )
        for name, known in choices:
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
        kinds = {"model": "str", **_kinds()}
        spoken = {name: read(kinds[name], value, f"--{name}", folder) for name, value in given.items()}
        stated, nearer = _from_pyproject(folder), {**_from_environment(environment, folder), **spoken}
        own = {name: _without(table, nearer) for name, table in stated.pop("own", {}).items()}
        usual = stated.get("datasets") or tuple(own) or TIERS.get(stated.get("tier", "full"), ())
        settings = {**stated, **nearer, "own": own, "typed": frozenset(given)}
        settings["usual"] = tuple(dict.fromkeys([*map(_name, usual), *own]))
        settings["waiver"] = tuple(w for w in settings.get("waiver", ()) if w.model in ("", given.get("model")))
        return cls(**settings)

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """What to judge on: the datasets named, or the user's own, or the tier's."""
        return self.datasets or tuple(self.own) or TIERS[self.tier]


def _without(table: Mapping[str, Any], nearer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table of a dataset without what the command line or a variable states."""
    return {key: value for key, value in table.items() if key not in nearer}


def _name(dataset: str) -> str:
    """Return the name of a dataset given by its name or its file."""
    return Path(dataset).stem if is_file(dataset) else dataset


def _kinds() -> dict[str, str]:
    """Return the settings that a file or a variable may hold, with their types."""
    spoken = ("model", "own", "typed", "usual")
    return {field.name: str(field.type) for field in fields(Config) if field.name not in spoken}


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
        settings[variables[variable]] = read(_kinds()[variables[variable]], text, variable, folder)
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
    table, own = _split(table, where, path.parent)
    for key in table:
        if key not in _kinds():
            raise UsageProblem(f"{where} " + unknown("key", key, (*_kinds(), "judge_on")))
    return own | {key: read(_kinds()[key], value, f"{where} {key}", path.parent) for key, value in table.items()}


def _split(table: Mapping[str, Any], where: str, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (the table with ``datasets`` naming what to judge on, the user's own datasets as settings).

    ``datasets`` is a list of names, or tables of the user's datasets; beside those, ``judge_on`` is the list.
    """
    settings = dict(table)
    own = settings.pop("datasets") if isinstance(settings.get("datasets"), dict) else {}
    if "judge_on" in settings:
        if "datasets" in settings:
            msg = f"{where}: datasets and judge_on both list what to judge on; keep one"
            raise UsageProblem(msg)
        read("tuple[str, ...]", settings["judge_on"], f"{where} judge_on", folder)
        settings["datasets"] = settings.pop("judge_on")
    return settings, {"own": read("own datasets", own, f"{where} datasets", folder)} if own else {}

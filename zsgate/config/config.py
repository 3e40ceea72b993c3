"""Config: what the user asked for, from the command line, the environment, pyproject.toml and defaults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

from zsgate.baselines import BASELINES
from zsgate.config import parse, tables
from zsgate.config.parse import Place
from zsgate.config.sources import find_pyproject, from_environment, from_pyproject, without
from zsgate.data.catalogue.tiers import TIERS
from zsgate.data.dataset import SCOPES
from zsgate.data.file.path import is_file
from zsgate.data.leakage.exposure import ACTIONS
from zsgate.errors import UsageProblem, unknown
from zsgate.metrics.robustness.metric import GROUP, ROBUSTNESS
from zsgate.verdict.recipe import RECIPES, Recipe
from zsgate.verdict.terms import POLICIES
from zsgate.verdict.threshold import Threshold
from zsgate.verdict.waiver import Waiver

ISOLATIONS = ("process", "none")


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
        Use no network: a file that is missing is an error that names it.
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
        Where the user's files keep cell types, batches, donors and raw counts.
    not_labels
        Labels in the user's files that are no cell types, such as ``["unknown"]``: cells with them are left out.
    tier
        Which datasets to judge on, where none is named.
    recipe
        Choices that shape every score: ``default``, or ``kedzierska2023`` for the paper's.
    cells
        Number of cells of a dataset to judge on, at most, instead of the recipe's; 0 takes all.
    against
        Another model, or the verdict.json of an earlier run, to be judged against as well.
    baselines
        Baselines to be compared with as well, of those that are compared with on request only: ``harmony``.
    metrics
        Metrics to compute as well, of those that a run computes on request only; ``robustness`` is all of these.
    require
        Advisory metrics whose verdicts decide the run all the same.
    scope
        What the user's own files can speak for: new ``donors``, or these donors' ``cells`` only.
    leakage
        What to do with verdicts on a dataset that the candidate saw in pretraining: ``report`` or ``fail``.
    policy
        What passes: ``beats``, ``noninferior`` or ``point``.
    margin
        Difference that counts as better.
    threshold
        What single tests must reach: ``[[tool.zsgate.threshold]]``, before policy and margin.
    waiver
        Tests that may fail for a while: ``[[tool.zsgate.waiver]]``.
    timeout
        Seconds without progress of the candidate's process, or of one call in pytest's; None sets no limit.
    memory
        Bytes of memory that the candidate's process may hold, given in GB; None sets no limit.
    isolation
        ``process``: the candidate runs in a process of its own. ``none``: in pytest's, for a debugger.
    seeds
        Number of draws of each side that draws random numbers; None takes 3 trainings of scVI, 3 untrained
        twins and 5 clusterings.
    budget
        Seconds after which no test is begun and the run ends as incomplete; None sets no end.
    cluster
        Who else computes: the address of a Dask scheduler, or ``local:N`` for N processes; None: nobody.
    report
        Folder of the page.
    no_maps
        Draw no UMAPs for the page.
    cache
        Folder of the store; None takes the platform's cache folder.
    cache_shared
        Use that folder also where others can write to it.
    fresh
        Read nothing that an earlier run kept there; what this one makes is kept. Good before a release.
    typed
        Names of the settings that the command line states.
    usual
        Names of the datasets that pyproject.toml judges on, also where the command line or a variable selects others.
    pyproject
        The file whose ``[tool.zsgate]`` was read; None where there is none.
    """

    model: str = field(metadata={"parse": parse.TEXT})
    gpu: bool = field(default=False, metadata={"parse": parse.SWITCH})
    weights: Path | None = field(default=None, metadata={"parse": parse.PATH})
    offline: bool = field(default=False, metadata={"parse": parse.SWITCH})
    models: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, metadata={"parse": tables.MODELS})
    datasets: tuple[str, ...] = field(default=(), metadata={"parse": parse.NAMES})
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mirror: str | None = field(default=None, metadata={"parse": parse.ADDRESS})
    label: str | None = field(default=None, metadata={"parse": parse.TEXT})
    batch: str | None = field(default=None, metadata={"parse": parse.TEXT})
    donor: str | None = field(default=None, metadata={"parse": parse.TEXT})
    counts: str | None = field(default=None, metadata={"parse": parse.TEXT})
    not_labels: tuple[str, ...] = field(default=(), metadata={"parse": parse.TEXTS})
    tier: str = field(default="full", metadata={"parse": parse.TEXT})
    recipe: str = field(default="default", metadata={"parse": parse.TEXT})
    cells: int | None = field(default=None, metadata={"parse": parse.CELLS})
    against: str | None = field(default=None, metadata={"parse": parse.TEXT})
    baselines: tuple[str, ...] = field(default=(), metadata={"parse": parse.NAMES})
    metrics: tuple[str, ...] = field(default=(), metadata={"parse": parse.NAMES})
    require: tuple[str, ...] = field(default=(), metadata={"parse": parse.NAMES})
    scope: str = field(default="donors", metadata={"parse": parse.TEXT})
    leakage: str = field(default="report", metadata={"parse": parse.TEXT})
    policy: str = field(default="beats", metadata={"parse": parse.TEXT})
    margin: float = field(default=0.0, metadata={"parse": parse.REAL})
    threshold: tuple[Threshold, ...] = field(default=(), metadata={"parse": tables.THRESHOLDS})
    waiver: tuple[Waiver, ...] = field(default=(), metadata={"parse": tables.WAIVERS})
    timeout: float | None = field(default=None, metadata={"parse": parse.TIMEOUT})
    memory: int | None = field(default=None, metadata={"parse": parse.GIGABYTES})
    isolation: str = field(default="process", metadata={"parse": parse.TEXT})
    seeds: int | None = field(default=None, metadata={"parse": parse.WHOLE})
    budget: float | None = field(default=None, metadata={"parse": parse.DURATION})
    cluster: str | None = field(default=None, metadata={"parse": parse.TEXT})
    report: Path = field(default=Path("zsgate-report"), metadata={"parse": parse.PATH})
    no_maps: bool = field(default=False, metadata={"parse": parse.SWITCH})
    cache: Path | None = field(default=None, metadata={"parse": parse.PATH})
    cache_shared: bool = field(default=False, metadata={"parse": parse.SWITCH})
    fresh: bool = field(default=False, metadata={"parse": parse.SWITCH})
    typed: frozenset[str] = field(default=frozenset(), compare=False)
    usual: tuple[str, ...] = field(default=(), compare=False)
    pyproject: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Take the name of a group of metrics for its metrics, and refuse values that no run can use."""
        for name in ("metrics", "require"):
            each = ((metric,) if metric != GROUP else tuple(ROBUSTNESS) for metric in getattr(self, name))
            object.__setattr__(self, name, tuple(dict.fromkeys(chain.from_iterable(each))))
        choices = {"tier": tuple(TIERS), "recipe": tuple(RECIPES), "policy": POLICIES}
        choices |= {"scope": SCOPES, "leakage": ACTIONS, "isolation": ISOLATIONS}
        stated = [(name, getattr(self, name), known) for name, known in choices.items()]
        for what, value, known in (*stated, *(("baseline", name, tuple(BASELINES)) for name in self.baselines)):
            if value not in known:
                raise UsageProblem(unknown(what, value, known))
        if not 0 <= self.margin < 1:
            msg = f"margin must be in [0, 1), not {self.margin:g}"
            raise UsageProblem(msg)
        if self.timeout is not None and not self.timeout > 0:
            msg = f"timeout must be a number of seconds above 0, not {self.timeout:g}"
            raise UsageProblem(msg)
        if self.cells is not None and self.scoring.scored is not None:
            msg = f"cells: {self.recipe} scores {self.scoring.scored:,} cells, as the paper; leave one of the two out"
            raise UsageProblem(msg)
        if self.seeds is not None and self.seeds < 2:
            msg = f"seeds must be at least 2 to know the spread over seeds, not {self.seeds}"
            raise UsageProblem(msg)

    @classmethod
    def gather(
        cls,
        command_line: Mapping[str, Any],
        environment: Mapping[str, str],
        folder: Path,
        *,
        models: Collection[str] = (),
        pyproject: Path | None = None,
    ) -> Self:
        """Return the settings: command line over ``ZSGATE_*`` over ``[tool.zsgate]`` over defaults.

        Parameters
        ----------
        command_line
            Options by field name; None and False are "not given".
        environment
            Variables; those named ``ZSGATE_<FIELD>`` are read, an empty one is "not given".
        folder
            Where pytest was started: paths in the environment and on the command line are relative to it, those in
            pyproject.toml to its own folder.
        models
            Names of the packaged models. Only these can have settings beside what is said of their pretraining.
        pyproject
            The file whose ``[tool.zsgate]`` counts; None takes the nearest pyproject.toml at or above ``folder``.

        Raises
        ------
        UsageProblem
            If a value cannot be read, or a key or variable is unknown.
        """
        place, parsers = Place(folder, models), {each.name: each.metadata["parse"] for each in _settings()}
        given = {name: value for name, value in command_line.items() if value is not None and value is not False}
        typed = {name: parsers[name].read(value, f"--{name}", place) for name, value in given.items()}
        del parsers["model"]  # only the command line names it
        pyproject = pyproject or find_pyproject(folder)
        project = from_pyproject(pyproject, parsers, place)
        here = {**from_environment(environment, parsers, place), **typed}
        pyproject = pyproject if project else None
        own = {name: without(table, here) for name, table in project.pop("own", {}).items()}
        usual = project.get("datasets") or tuple(own) or TIERS.get(project.get("tier", "full"), ())
        settings = {**project, **here, "own": own, "typed": frozenset(typed), "pyproject": pyproject}
        settings["usual"] = tuple(dict.fromkeys([*map(_name, usual), *own]))
        settings["waiver"] = tuple(w for w in settings.get("waiver", ()) if w.model in ("", given.get("model")))
        return cls(**settings)

    @property
    def scoring(self) -> Recipe:
        """The recipe, with the number of cells that is asked for."""
        recipe = RECIPES[self.recipe]
        return recipe if self.cells is None else replace(recipe, embedded=self.cells or None)

    @property
    def judged_tier(self) -> str:
        """The tier whose datasets are judged on; empty where datasets are named."""
        return "" if self.datasets or self.own else self.tier

    @property
    def dataset_names(self) -> tuple[str, ...]:
        """What to judge on: the datasets named, or the user's own, or the tier's."""
        return self.datasets or tuple(self.own) or TIERS[self.tier]


def _name(dataset: str) -> str:
    """Return the name of a dataset given by its name or its file."""
    return Path(dataset).stem if is_file(dataset) else dataset


def _settings() -> list[Field[Any]]:
    """Return the fields that a user can fill."""
    return [each for each in fields(Config) if "parse" in each.metadata]

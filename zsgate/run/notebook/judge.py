"""Judge: an embedding in an AnnData is held against baselines and other embeddings, as a run of the gate does it."""

from __future__ import annotations

import os
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from zsgate.baselines import BASELINES, ON_REQUEST, lacking
from zsgate.config.config import Config
from zsgate.config.parse import FEWEST_CELLS
from zsgate.data.annotations import Columns
from zsgate.data.file.in_memory import counts_at, read_anndata
from zsgate.errors import UsageProblem, unknown
from zsgate.metrics.given import is_anndata
from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.models.device import chosen
from zsgate.models.precomputed.in_memory import HeldRows
from zsgate.report.record import Record, SelectionRecord
from zsgate.run.before.validate import preflight
from zsgate.run.findings.gathered import Gathered
from zsgate.run.findings.outcome import Findings, decide
from zsgate.run.findings.provenance import Start
from zsgate.run.findings.record import record
from zsgate.run.ledger import Ledger
from zsgate.run.notebook.comparison import Comparison
from zsgate.run.notebook.held import HeldRun, named
from zsgate.run.notebook.trials import Trial, controls, gather, verdicts
from zsgate.system import cache
from zsgate.system.progress import waiting
from zsgate.system.store import Store

TWINS = "random_init"  # of a model; rows have none

if TYPE_CHECKING:
    from typing import Unpack

    import anndata


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
    gpu
        Compute baselines and distances on CUDA.
    cache, fresh
        Folder of what is kept between runs, and whether to read nothing of it.
    """

    layer: str | None
    name: str
    not_labels: Sequence[str]
    metrics: Sequence[str]
    require: Sequence[str]
    cells: int | None
    scope: str
    policy: str
    margin: float
    seeds: int | None
    gpu: bool
    cache: str | Path | None
    fresh: bool


def judge(
    adata: anndata.AnnData,
    key: str,
    *,
    against: str | Sequence[str] | None = None,
    label_key: str,
    batch_key: str | None = None,
    donor_key: str | None = None,
    **settings: Unpack[Settings],
) -> Comparison:
    """Return the verdicts on an embedding of an AnnData: those of a run of the gate on the same cells, with controls.

    Parameters
    ----------
    adata
        Cells with counts; nothing in it is changed.
    key
        The embedding that is judged: a key of ``obsm``, or ``"X"``.
    against
        What it must beat: baselines (``"hvg"``, ``"pca"``, ``"scvi"``, ``"harmony"``), other keys of ``obsm``, or the
        path of an earlier verdict.json. None takes the baselines of the gate: hvg, pca and scvi.
    label_key, batch_key, donor_key
        Columns of ``obs`` with cell types, batches and donors.
    **settings
        As of :class:`Settings`.

    Raises
    ------
    UsageProblem
        In one sentence, before anything is computed: a key or column that is not there, X without counts, NaN in the
        rows, two cells of one name.
    """
    if not is_anndata(adata):
        msg = f"judge takes an AnnData and a key of its obsm, not a {type(adata).__name__}"
        raise TypeError(msg)
    if unheard := settings.keys() - Settings.__annotations__.keys():
        raise UsageProblem(unknown("setting", min(unheard), tuple(Settings.__annotations__)))
    names = _names(against)
    start = Start(f"zsgate.judge(adata, {key!r}, against={names!r})", Path.cwd(), time.time(), named(key))
    config = _config(key, names, settings)
    not_labels = tuple(settings.get("not_labels", ()))
    columns = Columns(label=label_key, batch=batch_key, donor=donor_key, not_labels=not_labels)
    columns = counts_at(columns, settings.get("layer"))
    with _run_of(adata, config, names, columns) as run:
        _refuse(run, names)
        return Comparison(_recorded(run, names, start))


def _names(against: str | Sequence[str] | None) -> list[str]:
    """Return the names of what is compared with, each once."""
    if against is None:
        return [name for name in BASELINES if name not in (*ON_REQUEST, TWINS)]
    names = list(dict.fromkeys([against] if isinstance(against, str) else map(str, against)))
    if not names:
        msg = "against names nothing to compare with, such as ['hvg', 'X_pca']"
        raise UsageProblem(msg)
    return names


def _config(key: str, names: Sequence[str], settings: Settings) -> Config:
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
        against=past[0] if past else None,
        baselines=tuple(each for each in names if each in ON_REQUEST),
        metrics=tuple(settings.get("metrics", ())),
        require=tuple(settings.get("require", ())),
        cells=cells,
        scope=settings.get("scope", "donors"),
        policy=settings.get("policy", "beats"),
        margin=settings.get("margin", 0.0),
        seeds=settings.get("seeds"),
        gpu=settings.get("gpu", False),
        cache=None if folder is None else Path(folder).expanduser(),
        fresh=settings.get("fresh", False),
    )


@contextmanager
def _run_of(adata: anndata.AnnData, config: Config, names: Sequence[str], columns: Columns) -> Iterator[HeldRun]:
    """Have a run on the cells while the block runs; of what it keeps only what lasts between runs stays."""
    keys = [name for name in names if name not in BASELINES and name != config.against]
    if config.model in keys:
        msg = f"against: {config.model!r} is the embedding that is judged"
        raise UsageProblem(msg)
    rows = HeldRows.of(adata, config.model)
    others = tuple(_other(adata, key) for key in keys)
    root, number = cache.find_folder(config.cache), uuid.uuid4().hex
    BACKEND.device = chosen(config.gpu)
    with tempfile.TemporaryDirectory(prefix="zsgate-") as folder:
        with waiting(f"{config.model}: reading its cells"):
            cells = read_anndata(adata, columns, Path(folder), config.datasets[0], config.scope)
        cache.prepare(root)
        ledger = Ledger(Store(root, number, config.fresh), Store(root / "runs" / number, number))
        run = HeldRun(config, Path.cwd(), ledger, cells=cells, columns=columns, rows=rows, others=others)
        try:
            yield run
        finally:
            run.close()
            ledger.scratch.clear()
            BACKEND.leave()


def _other(adata: anndata.AnnData, key: str) -> HeldRows:
    if key in adata.obsm or key == "X":
        return HeldRows.of(adata, key)
    known = unknown("name", key, (*BASELINES, *adata.obsm))
    msg = f"against: {known}; an earlier run's file ends in .json"
    raise UsageProblem(msg)


def _refuse(run: HeldRun, names: Sequence[str]) -> None:
    """Raise UsageProblem for whatever can be known to be unusable before anything is computed."""
    preflight(run)
    for rows in run.others:
        rows.check(run.embedded(run.cells.name))
    for name in filter(BASELINES.__contains__, names):
        if reason := lacking(name).partition(", or -k")[0] or run.objection(baseline=name):
            msg = f"against {name}: {reason}"
            raise UsageProblem(msg)


def _recorded(run: HeldRun, names: Sequence[str], start: Start) -> Record:
    """Return the record of the run, with every test asked."""
    asked = [named(name) for name in names if name not in BASELINES and name != run.config.against]
    asked += [run.reference.name] if run.reference else []
    asked += [name for name in BASELINES if name in names]
    usual = [name for name in _names(None) if name not in asked]
    trials = [*verdicts(run, asked), *controls(run, asked)]
    due = [trial for trial in [*trials, *verdicts(run, usual)] if trial.decides]
    found = gather(run, trials, due)
    outcome = decide(_findings(found, trials))
    n_selected = sum(trial.decides for trial in trials)
    left_out = (f"against={list(names)!r}",) if n_selected < len(due) else ()
    selection = SelectionRecord(n_due=len(due), n_selected=n_selected, left_out_by=left_out)
    return record(run, found, outcome, selection, start)


def _findings(found: Gathered, trials: Sequence[Trial]) -> Findings:
    return Findings(
        planned=tuple(trial.nodeid for trial in trials),
        verdicts=tuple(found.verdicts.values()),
        controls=tuple(found.controls.values()),
        failures=tuple(found.failures.values()),
        waivers=found.waivers,
        nothing="no metric can be computed on these cells",
    )

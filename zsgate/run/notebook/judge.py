"""Judge: an embedding in an AnnData is held against baselines and other embeddings, as a run of the gate does it."""

from __future__ import annotations

import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from zsgate.baselines import BASELINES, lacking
from zsgate.config.config import Config
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
from zsgate.run.notebook.settings import Settings, config_of, listed, names_of
from zsgate.run.notebook.trials import Trial, controls, gather, verdicts
from zsgate.system import cache
from zsgate.system.progress import waiting
from zsgate.system.store import Store

if TYPE_CHECKING:
    from typing import Unpack

    import anndata


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
    names = names_of(against)
    said = {"against": names, "label_key": label_key, "batch_key": batch_key, "donor_key": donor_key, **settings}
    typed = ", ".join(f"{name}={value!r}" for name, value in said.items() if value is not None)
    start = Start(f"zsgate.judge(adata, {key!r}, {typed})", Path.cwd(), time.time(), named(key))
    columns = Columns(
        label=label_key, batch=batch_key, donor=donor_key, not_labels=listed(settings.get("not_labels", ()))
    )
    columns = counts_at(columns, settings.get("layer"))
    with _run_of(adata, config_of(key, names, columns, settings), names, columns) as run:
        _refuse(run, names)
        return Comparison(_recorded(run, names, start))


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
    with tempfile.TemporaryDirectory(prefix="zsgate-") as folder:
        with waiting(f"{config.model}: reading its cells"):
            cells = read_anndata(adata, columns, Path(folder), config.datasets[0], config.scope)
        cache.prepare(root)
        ledger = Ledger(Store(root, number, config.fresh), Store(root / "runs" / number, number))
        run = HeldRun(config, Path.cwd(), ledger, cells=cells, columns=columns, rows=rows, others=others)
        BACKEND.device = chosen(config.gpu)
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
    usual = [name for name in names_of(None) if name not in asked]
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

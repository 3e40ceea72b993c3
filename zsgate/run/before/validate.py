"""What is refused before anything runs: names that nobody can mean, models and datasets that cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path

from zsgate.baselines import BASELINES, RECONSTRUCTION_BASELINES
from zsgate.config.config import Config
from zsgate.data.catalogue.cards import CARDS
from zsgate.data.file.format import FILES
from zsgate.errors import UsageProblem, nearest
from zsgate.metrics import EVERY
from zsgate.models import MODELS
from zsgate.report.record import NotTestedRecord
from zsgate.run.before import applicability
from zsgate.run.datasets import fetch_files, names_of
from zsgate.run.run import Run
from zsgate.verdict.match import matches

ALIKE = 0.75  # names as like as this are taken for one name, misspelt


def check_patterns(run: Run) -> None:
    """Refuse a threshold or waiver that can match no test, and what is said of pretraining under a misspelt name.

    One for a dataset, or a reference, that is not in this run is none of its business: datasets are those of the run,
    of pyproject.toml, of the catalogue and files at hand, and any other name may be that of a file elsewhere, unless
    it looks like one of these.

    Raises
    ------
    UsageProblem
        If a pattern names an unknown baseline or metric, or a dataset or model is misspelt.
    """
    references = [run.reference.name] if run.reference else []
    files = [path.stem for depth in ("*", "*/*") for kind in FILES for path in run.folder.glob(f"{depth}{kind}")]
    datasets = list(dict.fromkeys([*run.sources, *run.config.own, *CARDS, *files]))
    baselines = list(dict.fromkeys([*references, *BASELINES, *RECONSTRUCTION_BASELINES, *MODELS]))
    for what, asked in (("threshold", run.config.threshold), ("waiver", run.config.waiver)):
        for each in asked:
            if not _possible(each.match, datasets, baselines):
                near = nearest(each.match, ["-".join(test) for test in product(datasets, baselines, EVERY)])
                hint = f"; the nearest is {near!r}" if near else ""
                msg = f"{what}: {each.match!r} matches no test (dataset-baseline-metric){hint}"
                raise UsageProblem(msg)
    _check_pretraining(run.config, datasets)


def preflight(run: Run) -> None:
    """Load what a run needs and refuse it now if it cannot be used.

    Raises
    ------
    UsageProblem
        If the model, a dataset or a file of embeddings is unusable, or a required metric cannot be computed.
    """
    models = [each.model for each in (run.candidate, run.reference) if each is not None]
    fetch_files(run.sources, run.shelf)
    for name in run.sources:
        dataset = run.embedded(name)
        run.exposure(name)  # a filter that cannot be read is said now
        for model in models:
            if model is not None and hasattr(model, "check"):
                model.check(dataset)
        if run.reference:
            run.reference.refuse(run.dataset(name))
        for metric in run.config.require:
            if reason := run.objection(name, metric=metric):
                msg = f"require: {metric} cannot be computed on {name}: {reason}"
                raise UsageProblem(msg)


def not_tested(run: Run) -> Iterator[NotTestedRecord]:
    """Yield what is not tested on which dataset of a run, and why."""
    config, reference = run.config, run.reference
    wanted = ["knn_mixing", "batch_score", *config.metrics, *config.require]
    pairs = [("random_init", {"baseline": "random_init"})]
    pairs += [(name, {"metric": name}) for name in dict.fromkeys(wanted)]
    for (what, names), dataset in product(pairs, run.sources):
        if reason := run.objection(dataset, **names):
            yield NotTestedRecord(what=what, dataset=dataset, reason=reason, **names)
    if reference:
        asked = [pair for pair in product(run.sources, EVERY) if not run.objection(pair[0], metric=pair[1])]
        yield from reference.not_compared(asked, run.candidate)
    yield from applicability.without_predictions(run.candidate.model)
    yield from applicability.without_forms(run.candidate.model)


def _check_pretraining(config: Config, datasets: Collection[str]) -> None:
    """Refuse names that would silently mean that nothing is said, or that a dataset was not seen."""
    said = config.model in config.models
    near = None if said else nearest(config.model, config.models.keys() - MODELS.keys(), ALIKE)
    if near and config.leakage == "fail":
        msg = f"--leakage=fail: a table of models is for {near!r}, none for {config.model!r}; rename it or add one"
        raise UsageProblem(msg)
    for entry in config.models.get(config.model, {}).get("pretraining", ()):
        near = nearest(Path(entry).stem, datasets, ALIKE)
        if near and not names_of(entry, config) & set(datasets):
            msg = (
                f"pretraining of {config.model}: unknown dataset {entry!r}; did you mean {near!r}? If another one is "
                "meant, give it a table: [tool.zsgate.datasets.NAME]"
            )
            raise UsageProblem(msg)


def _possible(pattern: str, datasets: Collection[str], baselines: Collection[str]) -> bool:
    """Return whether some test of some run can have a name that matches."""
    if ":" in pattern or "@" in pattern:  # pkg.mod:attr and model@day, of --against
        return True
    if any(matches(pattern, *test) for test in product(datasets, baselines, EVERY)):
        return True
    parts = pattern.split("-")
    heads = ("-".join(parts[:end]) for end in range(1, len(parts) + 1))
    plain = (head.replace("*", "").replace("?", "x") for head in heads)
    return any(
        _is_new(name, datasets, baselines) and any(matches(pattern, name, *rest) for rest in product(baselines, EVERY))
        for name in plain
    )


def _is_new(name: str, datasets: Collection[str], baselines: Collection[str]) -> bool:
    """Return whether a dataset of one's own may be called so: not as a part of another name, nor nearly as another."""
    parts = name.split("-")
    taken = any(part in baselines or part in EVERY or not part for part in parts)
    return (
        not taken and not any(name.startswith(f"{known}-") for known in datasets) and not nearest(name, datasets, ALIKE)
    )

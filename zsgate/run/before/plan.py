"""Planning: from the tests of a run to what it will do, what of that is kept, and about how long the rest takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from zsgate.baselines import BASELINES, DRAWS, YARDSTICKS
from zsgate.data.catalogue.card import Card
from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.robustness.metric import ROBUSTNESS
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.weights import absent_files
from zsgate.run import datasets
from zsgate.run.before.lookup import Absent, Lookup
from zsgate.run.before.rates import SUPERLINEAR, Rates
from zsgate.run.before.steps import Asked, Plan, Size, Step
from zsgate.run.before.units.named import SHUFFLED, embedding_of, method_of
from zsgate.run.changed.copies import MOST_CELLS, key_of
from zsgate.run.changed.held import KIND, STEP
from zsgate.run.changed.held import key_of as key_of_held
from zsgate.run.changed.invariances import EMBEDDED
from zsgate.run.checks import controls
from zsgate.run.checks.stability import draws_of
from zsgate.run.methods import Method
from zsgate.run.run import Run


def make(run: Run, asked: Sequence[Asked], *, scores: bool) -> Plan:
    """Return what a run will do for some tests.

    Parameters
    ----------
    run
        The run.
    asked
        What the tests ask for.
    scores
        Look up each score too, for which embeddings in the store are read. Else those of an embedding that is kept
        count as kept.
    """
    names = [name for name in run.sources if any(each.dataset == name for each in asked)]
    rates, sizes, steps = Rates(run.ledger.lasting.folder, run.config.gpu), {}, list[Step]()
    for name in names:
        known = run.known(name)
        sizes[name] = _size(run, name, known)
        here = [each for each in asked if each.dataset == name]
        for step in _Needs(run, name, known, sizes[name], scores).of(here):
            steps.append(_timed(step, rates))
    return Plan(tuple(asked), sizes, tuple(steps), tuple(_downloads(run, names)))


def _size(run: Run, name: str, known: Dataset | None) -> Size:
    source, at_most = run.sources[name], run.recipe.embedded
    if known is not None:
        return Size(known.n_cells, known.n_cells if known.drawn_from is None else len(known.drawn_from))
    whole = (source.quick or source.n_cells) if isinstance(source, Card) else datasets.n_cells_of(source)
    limits = [each for each in (whole, at_most, run.recipe.scored) if each is not None]
    return Size(None if whole is None else min(limits), source.n_cells if isinstance(source, Card) else whole)


def _timed(step: Step, rates: Rates) -> Step:
    rate = rates.of(step.rate)
    if step.kept or rate is None or step.units is None:
        return replace(step, seconds=0.0 if step.kept else None)
    return replace(step, seconds=rate.seconds * step.units, measured=rate.measured)


def _downloads(run: Run, names: Sequence[str]) -> Iterator[tuple[str, int | None]]:
    for name in names:
        source = run.sources[name]
        if isinstance(source, Card):
            yield from ((file.name, file.n_bytes) for file in source.files if run.shelf.find(source, file) is None)
    if run.config.model in CHECKPOINTS:
        for file in absent_files(CHECKPOINTS[run.config.model], run.config.weights, run.ledger.lasting.folder):
            yield file.name, file.n_bytes


def needs(run: Run, name: str, asked: Sequence[Asked]) -> tuple[list[str], dict[str, list[str]]]:
    """Return who embeds a dataset for some tests, and the metrics of each embedding that is scored."""
    here = _Needs(run, name, None, Size(None, None), scores=False)
    return here._who(asked), here._scored(asked)


@dataclass(frozen=True, slots=True)
class _Needs:
    """What tests on one dataset need, and whether it is kept."""

    run: Run
    name: str
    known: Dataset | None
    size: Size
    scores: bool

    def of(self, asked: Sequence[Asked]) -> Iterator[Step]:
        """Yield the steps, each once."""
        n_cells, model = self.size.scored, self.run.candidate.name
        yield Step(f"read {self.name}", self.name, "read", self.size.of, kept=self.known is not None)
        kept: dict[str, bool] = {}
        for who in self._who(asked):
            kept[who] = self._is_kept(who)
            times = self._times(who)
            units = None if n_cells is None else n_cells * times
            rate = {"scvi": f"embed scvi {self.run.recipe.scvi}", "random_init": f"embed {model}"}.get(who)
            yield Step(f"embed {who}", self.name, rate or f"embed {who}", units, kept[who], times)
        yield from self._copies(asked)
        if any(each.suite == "invariances" for each in asked):
            yield Step(STEP, self.name, f"embed {model}", EMBEDDED, self._has_held())
        for masked in sorted({RECONSTRUCTION[each.metric].masked for each in asked if each.metric in RECONSTRUCTION}):
            what = f"reconstruct, {100 * masked:g} % hidden" if masked else "reconstruct, all shown"
            yield Step(what, self.name, f"reconstruct {model}", n_cells, kept=False)
        units = None if n_cells is None else n_cells**SUPERLINEAR
        for who, metrics in self._scored(asked).items():
            yield Step(f"score {who}", self.name, "score", units, kept=self._is_scored(who, metrics, kept))

    def _copies(self, asked: Sequence[Asked]) -> Iterator[Step]:
        """Yield the embeddings of perturbed cells; what a baseline learnt is applied in no time worth a forecast."""
        n_cells, model = self.size.scored, self.run.candidate.name
        for metric in dict.fromkeys(test.metric for test in asked if test.metric in ROBUSTNESS):
            for who in self._who([test for test in asked if test.metric == metric]):
                if who == "random_init" or who not in (*BASELINES, *YARDSTICKS):
                    times = self.run.seeds(who) if who in DRAWS else 1
                    units = None if n_cells is None else min(n_cells, MOST_CELLS) * times
                    rate = f"embed {model if who == 'random_init' else who}"
                    kept = self._has_copies(who, metric)
                    yield Step(f"embed {who}, {metric}", self.name, rate, units, kept, times)

    def _who(self, asked: Sequence[Asked]) -> list[str]:
        """Return who embeds: the candidate, baselines, and PCA for the controls."""
        tests = [each for each in asked if each.metric in METRICS or each.metric in ROBUSTNESS]
        named = [each.baseline for each in tests if each.baseline in BASELINES or self._is_reference(each.baseline)]
        ours = [self.run.candidate.name] if any(each.suite != "controls" for each in tests) else []
        pca = ["pca"] if any(each.suite == "controls" for each in tests) else []
        named += list(YARDSTICKS) if "random_init" in named else []
        return list(dict.fromkeys([*ours, *named, *pca]))

    def _times(self, who: str) -> int:
        """Return how often somebody embeds."""
        if who == self.run.candidate.name:
            return len(draws_of(self.run.candidate.model))
        return self.run.seeds(who) if who in DRAWS else 1

    def _scored(self, asked: Sequence[Asked]) -> dict[str, list[str]]:
        """Return the metrics of each embedding that is scored, by what it is called."""
        found: dict[str, dict[str, None]] = {}
        for who, metric in chain.from_iterable(map(self._scores, asked)):
            found.setdefault(who, {})[metric] = None
        return {who: list(metrics) for who, metrics in found.items()}

    def _scores(self, test: Asked) -> Iterator[tuple[str, str]]:
        """Yield (whose embedding, metric) of the scores that a test compares."""
        is_control = test.suite == "controls"
        if test.metric not in METRICS or (is_control and not test.control):
            return
        metric, ours = METRICS[test.metric], test.control or self.run.candidate.name
        yield from ((who, metric.name) for who in (ours, test.baseline))
        if test.baseline == "random_init":  # is held against others, so that it is known what beating it says
            yield from ((who, "nmi") for who in (test.baseline, f"{SHUFFLED}{test.baseline}", *YARDSTICKS))
        if metric.claim == "batches":  # types must be separated no worse
            yield from ((who, "knn_purity") for who in (ours, test.baseline))
        elif not is_control or (ours != "oracle" and not metric.noise_loses):  # it must beat its rows in random order
            yield from ((who, metric.name) for who in (ours, f"{SHUFFLED}{ours}"))

    def _is_reference(self, name: str) -> bool:
        reference = self.run.reference
        return reference is not None and reference.name == name and reference.model is not None

    def _is_kept(self, who: str) -> bool:
        """Return whether an embedding is kept; of a model that cannot even be asked, none is."""
        with suppress(Exception):  # the boundary to code that is not ours; the run itself will say what is wrong
            return self.known is not None and self._has(method_of(self.run, who), self.known)
        return False

    def _has_held(self) -> bool:
        """Return whether it is kept that the candidate keeps its rows."""
        with suppress(Exception):  # as above
            if self.known is not None:
                key, lasts = key_of_held(self.run.candidate, self.run.dataset(self.name), self.run.ledger)
                return self.run.ledger.store(lasts=lasts).has(KIND, key, ".json")
        return False

    def _has_copies(self, who: str, metric: str) -> bool:
        """Return whether an embedding of perturbed cells is kept."""
        with suppress(Exception):  # as above
            if self.known is not None:
                return self.run.copies.is_kept(
                    method_of(self.run, who), self.run.dataset(self.name), ROBUSTNESS[metric]
                )
        return False

    def _has(self, method: Method, dataset: Dataset) -> bool:
        """Return whether the store has a method's embedding of a dataset, all of whose cells are given."""
        key, lasts = key_of(method, dataset, self.run.maker, self.run.ledger)
        return self.run.ledger.store(lasts=lasts).has("embedding", key)

    def _is_scored(self, who: str, metrics: Sequence[str], kept: Mapping[str, bool]) -> bool:
        """Return whether all scores of an embedding are kept, as far as is looked up; it is made of what is kept."""
        base = who.removeprefix(SHUFFLED)
        source = "pca" if base in controls.MAKERS else base
        if not kept.get(source, False) or not self.scores:
            return kept.get(source, False)
        dataset = self.run.dataset(self.name)
        found = embedding_of(self.run, who, dataset)
        store = found.store or self.run.ledger.lasting
        seen = replace(found, store=Lookup(store.folder, store.run, store.fresh))
        with suppress(Absent, ValueError):  # the latter: of a metric that is not defined here
            for metric in metrics:
                METRICS[metric](seen, dataset)
            return True
        return False

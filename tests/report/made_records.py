"""Made records: 20 verdicts of every outcome, controls, failures, and what a page must survive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import replace
from scipy import stats

from zsgate.report.record import (
    BaselineRecord,
    ControlRecord,
    CoverageRecord,
    DatasetRecord,
    FailureRecord,
    GateState,
    MetricRecord,
    ModelCard,
    NotTestedRecord,
    Outcome,
    Provenance,
    RecipeRecord,
    Record,
    SeedsRecord,
    TimingRecord,
    VarianceRecord,
    VerdictRecord,
)

N_DONORS = 20
CLAIMS = {
    "asw": "Cell types lie apart in the embedding better than in the baseline.",
    "nmi": "Clusters of the embedding match cell types better than clusters of the baseline.",
    "ari": "Clusters of the embedding match cell types better than clusters of the baseline.",
    "avg_bio": "Clusters of the embedding match cell types better than clusters of the baseline.",
    "batch_score": "Batches mix within cell types better than in the baseline.",
}
SCORES = {"asw": 0.512, "nmi": 0.701, "ari": 0.483, "avg_bio": 0.565, "batch_score": 0.871}
THEIRS = {
    "hvg": {"asw": 0.553, "nmi": 0.782, "ari": 0.604, "avg_bio": 0.646, "batch_score": 0.842},
    "pca": {"asw": 0.566, "nmi": 0.791, "ari": 0.611, "avg_bio": 0.656, "batch_score": 0.834},
    "scvi": {"asw": 0.571, "nmi": 0.743, "ari": 0.521, "avg_bio": 0.612, "batch_score": 0.903},
    "random_init": {"asw": 0.463, "nmi": 0.684, "ari": 0.442, "avg_bio": 0.530, "batch_score": 0.884},
}
ERRORS = {"asw": 0.011, "nmi": 0.024, "ari": 0.047, "avg_bio": 0.024, "batch_score": 0.009}
SEEDS = {"hvg": 1, "pca": 1, "scvi": 3, "random_init": 5}


def parts_of(largest: float, seeds: float) -> VarianceRecord:
    """Return the parts of a variance: the halves of the donors count."""
    return VarianceRecord(sample=largest, jackknife=1.64 * largest, seeds=seeds, halves=largest)


def verdict(dataset: str, baseline: str, metric: str, **changed: Any) -> VerdictRecord:
    """Return a verdict whose interval, p and power follow from its standard error as DESIGN.md says."""
    ours, theirs, se = (
        SCORES.get(metric, 0.5),
        THEIRS.get(baseline, {}).get(metric, 0.45),
        ERRORS.get(metric, 0.02),
    )
    d, df = ours - theirs, N_DONORS - 1
    half = float(stats.t.ppf(0.95, df)) * se
    outcome = Outcome.BEATS if d - half > 0 else Outcome.LOSES if d + half < 0 else Outcome.INCONCLUSIVE
    seeds = (0.2 * se) ** 2 if SEEDS.get(baseline, 1) > 1 else 0.0
    made = VerdictRecord(
        nodeid=f"zsgate/suites/test_cell_type_clustering.py::test_beats[{dataset}-{baseline}-{metric}]",
        claim=CLAIMS.get(metric, "The model beats the baseline."),
        suite="test_batch_integration" if metric == "batch_score" else "test_cell_type_clustering",
        model="cellama",
        dataset=dataset,
        metric=metric,
        baseline=baseline,
        ours=ours,
        theirs=theirs,
        difference=d,
        ci=(d - half, d + half),
        outcome=outcome,
        passed=outcome is Outcome.BEATS,
        n_units=N_DONORS,
        n_effective=float(N_DONORS),
        balanced=d - 0.002,
        seeds=SeedsRecord(ours=1, theirs=SEEDS.get(baseline, 1)),
        se=se,
        variance=parts_of(se**2 - seeds, seeds),
        p=float(stats.t.sf(d / se, df)),
        p_holm=min(1.0, 5 * float(stats.t.sf(d / se, df))),
        detectable=float(stats.t.ppf(0.95, df) + stats.t.ppf(0.8, df)) * se,
        df=float(df),
        reason="" if outcome is not Outcome.INCONCLUSIVE else "the interval holds zero",
        sentence=f"{metric} {ours:.3f} of cellama {outcome} {theirs:.3f} of {baseline} on {dataset}",
    )
    return replace(made, **changed)


def control(kind: str, metric: str, baseline: str | None, expected: Any, why: str) -> ControlRecord:
    return ControlRecord(
        nodeid=f"zsgate/suites/test_controls.py::test_control[pancreas_quick-{kind}-{metric}]",
        control=kind,
        dataset="pancreas_quick",
        metric=metric,
        baseline=baseline,
        expected=expected,
        got=expected,
        passed=True,
        why=why,
        sentence=f"{kind} {expected} by {metric}",
    )


def controls() -> tuple[ControlRecord, ...]:
    dead = (
        ("shuffled", "The candidate's own rows, dealt to other cells: they carry no cell type."),
        ("noise", "Independent random numbers: if these can win, the test measures nothing."),
    )
    oracle = "Labels plus a little noise: if this cannot win, no model can."
    return (
        *(control("oracle", m, b, "beats", oracle) for m in ("asw", "nmi", "ari", "avg_bio") for b in ("hvg", "scvi")),
        *(control(kind, m, b, "loses", why) for kind, why in dead for m in ("nmi", "avg_bio") for b in ("hvg", "pca")),
        control("constant", "asw", None, "refused", "The same row for every cell must be refused, not scored."),
        control("stale_graph", "nmi", None, "equal", "A graph left over from another embedding must not be read."),
    )


CARD = ModelCard(
    name="cellama",
    citation="Choi et al. 2024, CELLama: Foundation model for single cell and spatial transcriptomics",
    code_licence="CC-BY-NC-ND-4.0 (not used here)",
    weights_licence="Apache-2.0",
    weights=(
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        ("tokenizer.json", None),
    ),
    dimensions=384,
    stochastic=False,
    independent_cells=True,
    trains_on_target=False,
    notes=("Written from the paper; 30 genes a cell.",),
)
DATASET = DatasetRecord(
    name="pancreas_quick",
    n_cells=1500,
    n_genes=25453,
    n_cell_types=9,
    n_batches=4,
    n_donors=20,
    source="PyPI package hormone2cell 0.1.2",
    licence="MIT",
    citation="Kanemaru et al. 2023",
    notes=("1,500 cells drawn by donor and cell type with seed 0",),
)
COVERAGE = CoverageRecord(
    model="cellama",
    dataset="pancreas_quick",
    n_genes=25453,
    n_mapped=24006,
    n_vocabulary=60694,
    share_counts=0.9873,
    share_counts_low=0.9612,
    unmapped=("MT-RNR2", "AC007325.4", "HIST1H4C"),
    shared=2,
    like_ensembl=0,
    versioned=0,
)
PROVENANCE = Provenance(
    zsgate="0.1.0",
    python="3.11.7",
    platform="Linux-6.1 x86_64",
    device="cpu",
    packages={"torch": "2.13.0", "numpy": "2.4.6", "scvi-tools": "1.4.2"},
    command="pytest --model=cellama --tier=quick",
    started="2026-11-22T14:00:00+00:00",
    seconds=130.2,
    exit_code=1,
    exit_reason="12 tests did not pass",
)
SETTINGS: dict[str, object] = {
    "clusterer": "louvain",
    "resolutions": 20,
    "neighbours": 15,
    "seeds": [0, 1, 2],
}


def sample() -> Record:
    """Return the record of a lost run of 20 verdicts."""
    name = DATASET.name
    return Record(
        gate=GateState.LOST,
        model="cellama",
        model_card=CARD,
        recipe=RecipeRecord(id="default", hash="1a2b3c4d", settings=SETTINGS),
        tier="quick",
        verdicts=tuple(verdict(name, baseline, metric) for metric in SCORES for baseline in THEIRS),
        controls=controls(),
        datasets=(DATASET,),
        coverage=(COVERAGE,),
        baselines=(
            BaselineRecord(name="hvg", dataset=name, notes={"genes": 2000, "flavour": "seurat_v3"}),
            BaselineRecord(name="scvi", dataset=name, notes={"epochs": [120, 130, 118], "seeds": [0, 1, 2]}),
        ),
        metrics=(
            MetricRecord(
                name="asw",
                card="Mean silhouette of cell types, rescaled to 0 to 1. Depends on the width of the embedding; "
                "compares badly across very different dimensions.",
            ),
            MetricRecord(name="nmi", card="Normalised mutual information of clusters and cell types; 0 to 1."),
        ),
        timings=(
            TimingRecord(what="embed cellama", dataset=name, seconds=41.2),
            TimingRecord(what="train scvi", dataset=name, seconds=95.0, cached=True),
        ),
        caveats=("The quick tier shows that a gate works; it does not clear a release.",),
        provenance=PROVENANCE,
    )


def changed(record: Record, position: int, **fields: Any) -> Record:
    """Return ``record`` with other fields in the verdict at ``position``."""
    verdicts = list(record.verdicts)
    verdicts[position] = replace(verdicts[position], **fields)
    return replace(record, verdicts=tuple(verdicts))


def judged(record: Record, verdicts: Sequence[VerdictRecord]) -> Record:
    """Return ``record`` with other verdicts."""
    return replace(record, verdicts=tuple(verdicts))


def broken() -> Record:
    """Return a record in which everything happens at once: a broken gate, errors, cells as units, no interval."""
    record = changed(sample(), 16, passed=False, reason="it carries no cell-type signal above its shuffled twin")
    record = changed(record, 5, unit="cells")
    record = changed(record, 6, ci=None, se=None, p=None, detectable=None, reason="only 4 donors")
    record = changed(record, 7, ci=(-2.0, 3.0), margin=0.02)
    known = list(record.controls)
    known[10] = replace(known[10], passed=False, got="beats", sentence="noise beats hvg by nmi: the test is broken")
    failure = FailureRecord(
        nodeid="t[pancreas_quick-scvi-batch_score]",
        what="baseline",
        dataset="pancreas_quick",
        metric="batch_score",
        baseline="scvi",
        message="ValueError: loss is nan\nat epoch 3",
    )
    return replace(
        record,
        gate=GateState.BROKE,
        verdicts=record.verdicts[:18],
        controls=tuple(known),
        failures=(failure, FailureRecord(nodeid="", what="gate", message="worker gw1 died")),
        not_tested=(
            NotTestedRecord(
                what="random_init", dataset="pancreas_quick", reason="a plain function has no untrained twin"
            ),
        ),
    )


def empty() -> Record:
    """Return the record of a run that judged nothing."""
    return Record(
        gate=GateState.BROKE, model="cellama", recipe=RecipeRecord(id="default", hash="1a2b3c4d"), tier="quick"
    )


def large() -> Record:
    """Return a record of five datasets, five metrics and four baselines."""
    record = sample()
    names = ["pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens"]
    return replace(
        record,
        verdicts=tuple(verdict(d, b, m) for d in names for m in SCORES for b in THEIRS),
        datasets=tuple(replace(DATASET, name=name) for name in names),
        controls=tuple(replace(entry, dataset=name) for name in names for entry in record.controls),
    )


MAKERS: tuple[Callable[[], Record], ...] = (sample, broken, empty, large)

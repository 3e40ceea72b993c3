"""Made records: 20 verdicts of every outcome, controls, failures, and what a page must survive."""

from __future__ import annotations

from typing import Any

from scipy import stats

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


def parts_of(metric: str, largest: float, seeds: float) -> dict[str, Any]:
    """Return the parts of a variance: of a clustering metric the halves of the donors count."""
    if metric not in ("nmi", "ari", "avg_bio"):
        return {"jackknife": largest, "seeds": seeds, "halves": None, "cells": None}
    return {"jackknife": 0.64 * largest, "seeds": seeds, "halves": largest, "cells": 0.09 * largest}


def verdict(dataset: str, baseline: str, metric: str, **changed: Any) -> dict[str, Any]:
    """Return a verdict whose interval, p and power follow from its standard error as DESIGN.md says."""
    ours, theirs, se = (
        SCORES.get(metric, 0.5),
        THEIRS.get(baseline, {}).get(metric, 0.45),
        ERRORS.get(metric, 0.02),
    )
    d, df = ours - theirs, N_DONORS - 1
    half = float(stats.t.ppf(0.95, df)) * se
    outcome = "beats" if d - half > 0 else "loses" if d + half < 0 else "inconclusive"
    seeds = (0.2 * se) ** 2 if SEEDS.get(baseline, 1) > 1 else 0.0
    made = {
        "nodeid": f"zsgate/suites/test_cell_type_clustering.py::test_beats[{dataset}-{baseline}-{metric}]",
        "claim": CLAIMS.get(metric, "The model beats the baseline."),
        "suite": "test_batch_integration" if metric == "batch_score" else "test_cell_type_clustering",
        "model": "cellama", "dataset": dataset, "metric": metric, "baseline": baseline,
        "ours": ours, "theirs": theirs, "difference": d, "ci": [d - half, d + half], "level": 0.9,
        "outcome": outcome, "passed": outcome == "beats", "policy": "beats", "margin": 0.0, "unit": "donor",
        "n_units": N_DONORS, "n_effective": float(N_DONORS), "balanced": d - 0.002,
        "seeds": {"ours": 1, "theirs": SEEDS.get(baseline, 1)}, "se": se,
        "variance": parts_of(metric, se**2 - seeds, seeds), "p": float(stats.t.sf(d / se, df)),
        "detectable": float(stats.t.ppf(0.95, df) + stats.t.ppf(0.8, df)) * se, "df": float(df),
        "reason": "" if outcome != "inconclusive" else "the interval holds zero",
        "sentence": f"{metric} {ours:.3f} of cellama {outcome} {theirs:.3f} of {baseline} on {dataset}",
    }  # fmt: skip
    return {**made, **changed}


def control(kind: str, metric: str, baseline: str | None, expected: str, why: str, **changed: Any) -> dict[str, Any]:
    made = {
        "nodeid": f"zsgate/suites/test_controls.py::test_control[pancreas_quick-{kind}-{metric}]",
        "control": kind, "dataset": "pancreas_quick", "metric": metric, "baseline": baseline,
        "expected": expected, "got": expected, "passed": True, "why": why,
        "sentence": f"{kind} {expected} by {metric}",
    }  # fmt: skip
    return {**made, **changed}


def controls() -> list[dict[str, Any]]:
    bio = ("asw", "nmi", "ari", "avg_bio")
    return [
        *(control("oracle", m, b, "beats", "Labels plus a little noise: if this cannot win, no model can.")
          for m in bio for b in ("hvg", "scvi")),
        *(control(kind, m, b, "loses", why)
          for kind, why in (("shuffled", "The candidate's own rows, dealt to other cells: they carry no cell type."),
                            ("noise", "Independent random numbers: if these can win, the test measures nothing."))
          for m in ("nmi", "avg_bio") for b in ("hvg", "pca")),
        control("constant", "asw", None, "refused", "The same row for every cell must be refused, not scored."),
        control("stale_graph", "nmi", None, "equal", "A graph left over from another embedding must not be read."),
    ]  # fmt: skip


def sample() -> dict[str, Any]:
    verdicts = [verdict("pancreas_quick", baseline, metric) for metric in SCORES for baseline in THEIRS]
    return {
        "schema": "zsgate.verdict/1", "gate": "lost", "model": "cellama",
        "model_card": {
            "name": "cellama",
            "citation": "Choi et al. 2024, CELLama: Foundation model for single cell and spatial transcriptomics",
            "code_licence": "CC-BY-NC-ND-4.0 (not used here)", "weights_licence": "Apache-2.0",
            "weights": [["model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"],
                        ["tokenizer.json", None]],
            "dimensions": 384, "stochastic": False, "independent_cells": True, "trains_on_target": False,
            "pretraining": None, "notes": ["Written from the paper; 30 genes a cell."],
        },
        "recipe": {"id": "default", "hash": "1a2b3c4d",
                   "settings": {"clusterer": "louvain (igraph)", "resolutions": 20, "neighbours": 15,
                                "seeds": [0, 1, 2]}},
        "tier": "quick", "policy": "beats", "verdicts": verdicts, "controls": controls(), "failures": [],
        "not_tested": [],
        "datasets": [{
            "name": "pancreas_quick", "n_cells": 1500, "n_genes": 25453, "n_cell_types": 9, "n_batches": 4,
            "n_donors": 20, "scope": "donors", "source": "PyPI package hormone2cell 0.1.2", "licence": "MIT",
            "citation": "Kanemaru et al. 2023", "notes": ["1,500 cells drawn by donor and cell type with seed 0"],
        }],
        "coverage": [{
            "model": "cellama", "dataset": "pancreas_quick", "gene_ids": "symbol", "n_genes": 25453,
            "n_mapped": 24006, "n_vocabulary": 60694, "share_counts": 0.9873, "share_counts_low": 0.9612,
            "unmapped": ["MT-RNR2", "AC007325.4", "HIST1H4C"], "shared": 2, "like_ensembl": 0, "versioned": 0,
            "hint": "",
        }],
        "baselines": [
            {"name": "hvg", "dataset": "pancreas_quick", "notes": {"genes": 2000, "flavour": "seurat_v3"}},
            {"name": "scvi", "dataset": "pancreas_quick", "notes": {"epochs": [120, 130, 118], "seeds": [0, 1, 2]}},
        ],
        "metrics": [
            {"name": "asw", "card": "Mean silhouette of cell types, rescaled to 0 to 1. Depends on the width of "
                                    "the embedding; compares badly across very different dimensions."},
            {"name": "nmi", "card": "Normalised mutual information of clusters and cell types; 0 to 1."},
        ],
        "timings": [
            {"what": "embed cellama", "dataset": "pancreas_quick", "seconds": 41.2, "cached": False},
            {"what": "train scvi", "dataset": "pancreas_quick", "seconds": 95.0, "cached": True},
        ],
        "caveats": ["The quick tier shows that a gate works; it does not clear a release."],
        "provenance": {
            "zsgate": "0.1.0", "python": "3.11.7", "platform": "Linux-6.1 x86_64", "device": "cpu",
            "packages": {"torch": "2.13.0", "numpy": "2.4.6", "scvi-tools": "1.4.2"},
            "command": "pytest --model=cellama --tier=quick", "started": "2026-11-22T14:00:00+00:00",
            "seconds": 130.2, "git": None, "exit_code": 1, "exit_reason": "12 tests did not pass",
        },
    }  # fmt: skip


def broken() -> dict[str, Any]:
    """Return a record in which everything happens at once: a broken gate, errors, cells as units, no interval."""
    record = sample()
    record["gate"] = "broke"
    record["verdicts"][16].update(passed=False, reason="it carries no cell-type signal above its shuffled twin")
    record["verdicts"][5].update(unit="cells")
    record["verdicts"][6].update(ci=None, se=None, p=None, detectable=None, reason="only 4 donors")
    record["verdicts"][7].update(ci=[-2.0, 3.0], margin=0.02)
    del record["verdicts"][18:]
    record["controls"][10].update(passed=False, got="beats", sentence="noise beats hvg by nmi: the test is broken")
    record["failures"] = [
        {"nodeid": "t[pancreas_quick-scvi-batch_score]", "what": "baseline", "dataset": "pancreas_quick",
         "metric": "batch_score", "baseline": "scvi", "message": "ValueError: loss is nan\nat epoch 3"},
        {"nodeid": "", "what": "gate", "dataset": None, "metric": None, "baseline": None, "message": "worker gw1 died"},
    ]  # fmt: skip
    record["not_tested"] = [
        {
            "what": "random_init",
            "dataset": "pancreas_quick",
            "reason": "a plain function has no untrained twin",
        }
    ]
    return record


def empty() -> dict[str, Any]:
    """Return the record of a run that judged nothing."""
    record = dict.fromkeys(
        (
            "verdicts",
            "controls",
            "failures",
            "not_tested",
            "datasets",
            "coverage",
            "baselines",
            "metrics",
            "timings",
            "caveats",
        )
    )
    return {
        **{name: [] for name in record}, "schema": "zsgate.verdict/1", "gate": "broke", "model": "cellama",
        "model_card": None, "recipe": {"id": "default", "hash": "1a2b3c4d", "settings": {}}, "tier": "quick",
        "policy": "beats", "provenance": {},
    }  # fmt: skip


def large() -> dict[str, Any]:
    """Return a record of five datasets, five metrics and four baselines."""
    record = sample()
    names = ["pancreas", "pbmc_12k", "pbmc_95k", "immune", "tabula_sapiens"]
    record["verdicts"] = [verdict(d, b, m) for d in names for m in SCORES for b in THEIRS]
    record["datasets"] = [{**record["datasets"][0], "name": name} for name in names]
    record["controls"] = [{**entry, "dataset": name} for name in names for entry in record["controls"]]
    return record


MAKERS = (sample, broken, empty, large)

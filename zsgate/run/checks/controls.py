"""Controls: embeddings whose worth is known, so that every run proves that its metrics and verdicts work.

None is judged against ``random_init``, because noise can beat an untrained model: noise has an ASW of 0.48 to 0.50
where Geneformer had 0.32 on the paper's Pancreas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp

from zsgate.baselines import RANK_AVERAGES, VALUE_AVERAGES
from zsgate.data.dataset import Dataset
from zsgate.metrics import METRICS, Metric
from zsgate.metrics.metric import Claim
from zsgate.metrics.reconstruction.metric import RANKS, RECONSTRUCTION, VALUES, ReconstructionMetric
from zsgate.metrics.reconstruction.values import COPY
from zsgate.models.embedding import Embedding
from zsgate.models.reconstruction import Scale

DIMENSIONS = 50
MANY_LABELS = 20
LINEAR = ("hvg", "pca")  # always at hand: controls against them run whatever is selected
Must = Literal["beats", "loses", "fails"]


@dataclass(frozen=True, slots=True)
class Control:
    """What an embedding of known worth must do.

    Attributes
    ----------
    name
        Part of the test's id.
    must
        ``"beats"`` or ``"loses"``: the outcome its verdict must have; ``"fails"``: its verdict must not pass.
    metrics, baselines
        On what and against what.
    why
        What a failure would mean, for the report.
    strict
        Whether the gate breaks where ``"beats"`` is merely not shown. Metrics on request may be undefined on a dataset
        or rest on a few of its cells; there the dataset is said to tell nothing, as where a baseline is near perfect.
    """

    name: str
    must: Must
    metrics: tuple[str, ...]
    baselines: tuple[str, ...]
    why: str
    strict: bool = True


# why noise and shuffled rows must not pass where they need not be shown to lose
NO_SIGNAL: dict[Claim, dict[str, str]] = {
    "batches": {
        "shuffled": "Misaligned rows mix batches perfectly; without cell-type signal that must not count.",
        "noise": "Noise scores about 0.98 on batch mixing; without cell-type signal that must not count.",
    },
    "cell types": {
        "shuffled": "Misaligned rows can score above a baseline; without cell-type signal that must not count.",
        "noise": "Noise can score above a baseline; without cell-type signal that must not count.",
    },
}


def must_win_or_lose(metrics: Iterable[Metric]) -> tuple[Control, ...]:
    """Return the controls whose outcome is known: labels win by every metric of cell types, noise loses by some."""
    known = [metric for metric in metrics if metric.claim == "cell types"]
    in_every_run = tuple(metric.name for metric in known if not metric.on_request)
    on_request = tuple(metric.name for metric in known if metric.on_request)
    losing = tuple(metric.name for metric in known if metric.noise_loses)
    labels = "An embedding made of the labels must win, or the metric cannot see cell types."
    misaligned = "PCA's rows dealt to the wrong cells must lose, or rows are not aligned with labels."
    return (
        Control("oracle", "beats", in_every_run, (*LINEAR, "scvi"), labels),
        Control("oracle", "beats", on_request, LINEAR, labels, strict=False),
        Control("shuffled", "loses", losing, LINEAR, misaligned),
        Control("noise", "loses", losing, LINEAR, "Pure noise must lose, or a dead model could pass."),
    )


def must_not_pass(claim: Claim, metrics: Iterable[Metric]) -> tuple[Control, ...]:
    """Return the controls of metrics by which noise may beat a baseline: without signal that must not count."""
    names = tuple(metric.name for metric in metrics if metric.claim == claim and not metric.noise_loses)
    return tuple(Control(name, "fails", names, LINEAR, why) for name, why in NO_SIGNAL[claim].items())


def must_be_found_out(metrics: Iterable[ReconstructionMetric]) -> tuple[Control, ...]:
    """Return the controls of reconstruction: a copy gives back what it was shown, and the mask where nothing was.

    There is none on the cross-entropy, for a copy states no probabilities.
    """
    known = [metric for metric in metrics if metric.statistic != "token_cross_entropy"]
    shown, hidden = ([m for m in known if bool(m.masked) == masked] for masked in (False, True))
    found_out = "it must be found out, or nothing needs predicting."
    perfect = f"A copy of the input is perfect where every gene is shown; {found_out}"
    ranked = f"A copy of the input has every rank right; {found_out}"
    ignorant = "A copy has nothing to say of hidden genes."

    def names(some: Iterable[ReconstructionMetric], scales: tuple[Scale, ...]) -> tuple[str, ...]:
        return tuple(metric.name for metric in some if metric.scales == scales)

    return (
        Control(COPY, "fails", names(shown, VALUES), VALUE_AVERAGES, perfect),
        Control(COPY, "fails", names(shown, RANKS), RANK_AVERAGES, ranked),
        Control(COPY, "loses", names(hidden, VALUES), VALUE_AVERAGES, ignorant),
        Control(COPY, "loses", names(hidden, RANKS), RANK_AVERAGES, ignorant),
    )


KNOWN = must_win_or_lose(METRICS.values())
DEAD = {claim: must_not_pass(claim, METRICS.values()) for claim in NO_SIGNAL}
COPIES = must_be_found_out(RECONSTRUCTION.values())


def oracle(dataset: Dataset, _: Embedding) -> np.ndarray:
    """Return the labels, one dimension each, plus noise of a tenth of their distance.

    The length of the noise grows with the root of the number of labels; from 20 labels on it grows no more.
    """
    labels = np.unique(dataset.cell_types, return_inverse=True)[1]
    identity = np.eye(labels.max() + 1)[labels]
    scale = 0.1 * min(1.0, float(np.sqrt(MANY_LABELS / identity.shape[1])))
    return identity + scale * _generator(dataset).standard_normal(identity.shape)


def shuffled(dataset: Dataset, pca: Embedding) -> np.ndarray:
    """Return PCA's rows, dealt to the cells at random."""
    return pca.draws[0][_generator(dataset).permutation(dataset.n_cells)]


def noise(dataset: Dataset, _: Embedding) -> np.ndarray:
    """Return standard normal values."""
    return _generator(dataset).standard_normal((dataset.n_cells, DIMENSIONS))


MAKERS: dict[str, Callable[[Dataset, Embedding], np.ndarray]] = {
    "oracle": oracle,
    "shuffled": shuffled,
    "noise": noise,
}


def make(name: str, dataset: Dataset, pca: Embedding) -> Embedding:
    """Return the embedding of a control; the same for the same cells. It is extreme: one clustering will do."""
    rows = Embedding.of(MAKERS[name](dataset, pca), source=name)
    return replace(rows, clusterings=1, recipe=pca.recipe, store=pca.store)


def shuffled_twin(embedding: Embedding, dataset: Dataset) -> Embedding:
    """Return the embedding with its rows dealt to the cells at random: all of its geometry, none of its signal."""
    order = _generator(dataset).permutation(dataset.n_cells)
    return replace(embedding.rows(order), source=f"shuffled {embedding.source}")


@dataclass(frozen=True, slots=True)
class Annotated:
    """An AnnData as far as whoever looks for a neighbour graph reads it; AnnData itself takes longer to load.

    Attributes
    ----------
    obsm, obsp, uns
        As of ``anndata.AnnData``.
    """

    obsm: Mapping[str, np.ndarray]
    obsp: Mapping[str, sp.csr_matrix]
    uns: Mapping[str, object]


def with_stale_graph(dataset: Dataset, embedding: Embedding) -> Annotated:
    """Return what an AnnData has with ``embedding`` in obsm["X"] and, as its neighbours, a graph made of the labels.

    Each cell is joined to the next one of its type, in a ring: all pairs of half a million cells fit nowhere.
    """
    order = np.argsort(dataset.cell_types, kind="stable")
    _, starts, sizes = np.unique(dataset.cell_types[order], return_index=True, return_counts=True)
    following = np.arange(1, len(order) + 1)
    following[starts + sizes - 1] = starts
    ring = sp.csr_matrix((np.ones(len(order)), (order, order[following])))
    return Annotated(
        obsm={"X": embedding.draws[0].copy()},
        obsp=dict.fromkeys(("connectivities", "distances"), ring + ring.T),
        uns={"neighbors": {"connectivities_key": "connectivities", "distances_key": "distances"}},
    )


def _generator(dataset: Dataset) -> np.random.Generator:
    return np.random.default_rng(int(dataset.cells_digest[:16], 16))

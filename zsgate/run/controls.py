"""Controls: embeddings whose worth is known, so that every run proves that its metrics and verdicts work.

None is judged against ``random_init``, because noise can beat an untrained model: noise has an ASW of 0.48 to 0.50
where Geneformer had 0.32 on the paper's Pancreas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from zsgate.data.dataset import Dataset
from zsgate.models.embedding import Embedding

if TYPE_CHECKING:
    import anndata

DIMENSIONS = 50
MIXING = ("batch_score", "bras", "pcr", "pcr_comparison", "avg_batch", "ilisi", "kbet")


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
    """

    name: str
    must: str
    metrics: tuple[str, ...]
    baselines: tuple[str, ...]
    why: str


KNOWN = (
    Control(
        "oracle",
        "beats",
        ("asw", "nmi", "ari", "avg_bio"),
        ("hvg", "pca", "scvi"),
        "An embedding made of the labels must win, or the metric cannot see cell types.",
    ),
    Control(
        "shuffled",
        "loses",
        ("nmi", "avg_bio", "label_transfer"),
        ("hvg", "pca"),
        "PCA's rows dealt to the wrong cells must lose, or rows are not aligned with labels.",
    ),
    Control(
        "noise",
        "loses",
        ("nmi", "avg_bio", "label_transfer"),
        ("hvg", "pca"),
        "Pure noise must lose, or a dead model could pass.",
    ),
)
# what the batch suite must not let pass, however well it mixes batches
DEAD = (
    Control(
        "shuffled",
        "fails",
        MIXING,
        ("hvg", "pca"),
        "Misaligned rows mix batches perfectly; without cell-type signal that must not count.",
    ),
    Control(
        "noise",
        "fails",
        MIXING,
        ("hvg", "pca"),
        "Noise scores about 0.98 on batch mixing; without cell-type signal that must not count.",
    ),
)
# what no suite of reconstruction must let pass: returning what was shown, and the mask where nothing was
COPY = "identity_copy"
COPIES = (
    Control(
        COPY,
        "fails",
        ("mse_gep", "mse_gepc"),
        ("mean", "gene_mean", "cell_gene_mean"),
        "A copy of the input is perfect where every gene is shown; it must be found out, or nothing needs predicting.",
    ),
    Control(
        COPY,
        "fails",
        ("rank_correlation",),
        ("average_rank",),
        "A copy of the input has every rank right; it must be found out, or nothing needs predicting.",
    ),
    Control(
        COPY,
        "loses",
        ("mse_gep_m15", "mse_gepc_m15", "mse_gep_m40", "mse_gepc_m40"),
        ("mean", "gene_mean", "cell_gene_mean"),
        "A copy has nothing to say of hidden genes.",
    ),
    Control(
        COPY,
        "loses",
        ("token_accuracy_m15", "token_accuracy_m40"),
        ("average_rank",),
        "A copy has nothing to say of hidden genes.",
    ),
)


def oracle(dataset: Dataset, _: Embedding) -> np.ndarray:
    """Return the labels, one dimension each, plus noise of a tenth of their distance."""
    labels = np.unique(dataset.cell_types, return_inverse=True)[1]
    identity = np.eye(labels.max() + 1)[labels]
    return identity + 0.1 * _generator(dataset).standard_normal(identity.shape)


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


def with_stale_graph(dataset: Dataset, embedding: Embedding) -> anndata.AnnData:
    """Return an AnnData with ``embedding`` in obsm["X"] and, as its neighbours, a graph made of the labels.

    Each cell is joined to the next one of its type, in a ring: all pairs of half a million cells fit nowhere.
    """
    import anndata

    adata = anndata.AnnData(obsm={"X": embedding.draws[0].copy()})
    order = np.argsort(dataset.cell_types, kind="stable")
    _, starts, sizes = np.unique(dataset.cell_types[order], return_index=True, return_counts=True)
    following = np.arange(1, len(order) + 1)
    following[starts + sizes - 1] = starts
    ring = sp.csr_matrix((np.ones(len(order)), (order, order[following])))
    adata.obsp["connectivities"] = adata.obsp["distances"] = ring + ring.T
    adata.uns["neighbors"] = {"connectivities_key": "connectivities", "distances_key": "distances"}
    return adata


def _generator(dataset: Dataset) -> np.random.Generator:
    return np.random.default_rng(int(dataset.cells_digest[:16], 16))

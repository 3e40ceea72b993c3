"""Rungs: embeddings of real cells whose worth is known, from perfect to noise, and the cells that they are of."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from benchmarks.equal_models import projection
from zsgate.baselines import hvg, pca
from zsgate.baselines.scvi import baseline as scvi
from zsgate.data.annotations import Columns
from zsgate.data.catalogue.load import load
from zsgate.data.catalogue.sample import draw_within_donors
from zsgate.data.dataset import Dataset
from zsgate.data.preprocess import log_normalised
from zsgate.data.read import read_h5ad
from zsgate.system.sources import code_of
from zsgate.system.store import Store

MOST = 2000  # cells of a file that are taken
FILES = {
    "kang": ("kang_ifnb_labelled.h5ad", Columns(label="cell_type", batch="batch", donor="donor_stim", counts="X")),
    "panc8": ("panc8_small.h5ad", Columns(label="cell_type", batch="batch", donor="orig_ident", counts="X")),
    "pbmc": ("pbmc_3k4k.h5ad", Columns(label="cell_type", batch="batch", counts="X")),
}
DIALS = (0.0, 0.25, 1.0)  # how far the genes of two made batches differ in efficiency, in natural logarithms
Codes = npt.NDArray[np.intp]
Rows = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rung:
    """An embedding, and whether a gate must let it pass: yes, never, or as the data say."""

    name: str
    rows: Rows
    passes: bool | None = None


def cells(name: str, folder: Path | None) -> Dataset:
    """Return the cells of a set: the quick tier's, one of ``FILES`` in a folder, or ``dialled X``.

    The last has the cells of the largest study of the pancreas, its donors dealt to two batches. In the second every
    gene is detected with a probability of its own, ``exp(-X * abs(normal))``.
    """
    if name == "pancreas_quick":
        return load(name)
    if name.startswith("dialled "):
        return _dialled(float(name.split()[1]))
    if folder is None:
        msg = f"{name} needs --files FOLDER with {FILES[name][0]}"
        raise FileNotFoundError(msg)
    file, columns = FILES[name]
    whole = read_h5ad(folder / file, name, columns)
    whole = whole if whole.donors is not None else replace(whole, scope="cells")
    rows = draw_within_donors(whole, MOST)
    return whole if rows is None else whole.subset(rows)


def _dialled(level: float) -> Dataset:
    whole = load("pancreas_hormone2cell")
    assert whole.batches is not None
    studies, sizes = np.unique(whole.batches, return_counts=True)
    some = whole.subset(np.flatnonzero(whole.batches == studies[sizes.argmax()]))
    second = _codes(some.donors) % 2 == 1
    generator = np.random.default_rng(11)
    kept = np.exp(-level * np.abs(generator.normal(size=some.counts.shape[1])))
    counts = some.counts.copy()
    chances = np.where(np.repeat(second, np.diff(counts.indptr)), kept[counts.indices], 1.0)
    counts.data = generator.binomial(counts.data.astype(np.int64), chances).astype(np.float32)
    counts.eliminate_zeros()
    return Dataset(
        name=f"dialled_{level:g}",
        counts=counts,
        cell_ids=some.cell_ids,
        cell_types=some.cell_types,
        symbols=some.symbols,
        batches=np.where(second, "second", "first"),
        donors=some.donors,
        scope="cells",  # few donors
    )


def trained(dataset: Dataset, store: Store) -> list[Rows]:
    """Return scVI trained three times by the default recipe's schedule."""
    key = {"dataset": dataset.digest, "code": code_of(scvi.__name__)}
    draws, _ = store.arrays("rungs", key, lambda: scvi.embed(dataset, seeds=3, schedule="levels_off"))
    return list(draws)


def networks(dataset: Dataset, seeds: range) -> list[Rows]:
    """Return the log counts behind two random layers, a network a seed: untrained twins."""
    logs = log_normalised(dataset)
    found = []
    for seed in seeds:
        generator = np.random.default_rng([7, seed])
        hidden = np.maximum(np.asarray(logs @ (generator.normal(size=(logs.shape[1], 256)) / 50)), 0)
        found.append(np.maximum(hidden @ generator.normal(size=(256, 64)) / 16, 0).astype(np.float32))
    return found


def rungs(dataset: Dataset, latent: Rows) -> Iterator[Rung]:
    """Yield the ladder; ``latent`` is scVI's of these cells."""
    types, batches = _codes(dataset.cell_types), _codes(dataset.batches)
    generator = np.random.default_rng(3)
    components = np.asarray(pca.embed(dataset)[0][0], dtype=np.float64)
    learnt, plain = _scaled(latent.astype(np.float64)), _scaled(components)
    genes = np.asarray(hvg.embed(dataset, on="counts")[0][0], dtype=np.float64)
    corners = np.eye(50)[types]
    noise = generator.normal(size=(dataset.n_cells, 50))
    cleared, centre = _cleared(learnt, types, batches), _centroids(learnt, types)
    made: list[tuple[str, Doubles, bool | None]] = [
        ("labels and little noise", 3 * corners + 0.1 * noise, True),
        ("labels and noise", 3 * corners + 0.5 * noise, None),
        ("scVI without batch means, and centroids", cleared + centre, True),
        ("scVI without batch means", cleared, None),
        *((f"scVI and {times:g} centroids", learnt + times * centre, None) for times in (0.5, 1, 2)),
        ("scVI", learnt, None),
        ("supervised network", _supervised(plain, dataset), None),
        ("PCA without batch means, and centroids", _cleared(plain + _centroids(plain, types), types, batches), None),
        ("PCA", plain, None),
        ("PCA of 10 dimensions", components[:, :10], None),
        *((f"PCA and {times:g} centroids", plain + times * _centroids(plain, types), False) for times in (1, 3)),
        ("HVG", genes, None),
        ("HVG of 50 genes", genes[:, np.argsort(-genes.var(axis=0))[:50]], None),
        ("random projection", projection(dataset, 0).astype(np.float64), None),
        ("untrained network", networks(dataset, range(9, 10))[0].astype(np.float64), None),
        ("noise", noise, False),
        *((f"noise and {dose:g} of types", noise + dose * corners, False) for dose in (0.6, 1, 1.5, 2)),
        ("merged types", 3 * np.eye(50)[types // 2] + 0.3 * noise, False),
        ("mixed beyond types", 0.4 * _cleared(plain, types, batches) + noise, False),
    ]
    for name, rows, passes in made:
        yield Rung(name, np.ascontiguousarray(rows, dtype=np.float32), passes)


def _supervised(rows: Doubles, dataset: Dataset) -> Doubles:
    """Return the hidden layer of a network that was taught the types of two thirds of the donors, or of the cells."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    fold = (np.arange(dataset.n_cells) if dataset.donors is None else _codes(dataset.donors)) % 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 60 iterations will do
        taught = MLPClassifier((128, 64), max_iter=60, random_state=0).fit(rows[fold > 0], dataset.cell_types[fold > 0])
    hidden = rows
    for weights, bias in zip(taught.coefs_[:2], taught.intercepts_[:2], strict=True):
        hidden = np.maximum(hidden @ weights + bias, 0)
    return hidden


def _codes(names: npt.NDArray[np.str_] | None) -> Codes:
    assert names is not None
    return np.unique(names, return_inverse=True)[1]


def _scaled(rows: Doubles) -> Doubles:
    rows = rows - rows.mean(axis=0)
    return np.asarray(rows / rows.std())


def _centroids(rows: Doubles, groups: Codes) -> Doubles:
    """Return the mean of each row's group."""
    member = sp.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))))
    return np.asarray((member @ rows / np.bincount(groups)[:, None])[groups])


def _cleared(rows: Doubles, types: Codes, batches: Codes) -> Doubles:
    """Return the rows with the mean of their type and batch moved to that of their type."""
    groups = np.unique(types * (batches.max() + 1) + batches, return_inverse=True)[1]
    return rows - _centroids(rows, groups) + _centroids(rows, types)

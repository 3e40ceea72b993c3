"""What metrics share is computed once, and the store serves it to another process as long as nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zsgate.metrics import METRICS, Recipe, asw, cache
from zsgate.metrics.cells import SPLITS
from zsgate.metrics.clustering.neighbour_graph import NeighbourGraph
from zsgate.metrics.embedding import distance_pass
from zsgate.models.embedding import Embedding
from zsgate.run.checks.controls import shuffled_twin
from zsgate.system.sources import files, packages
from zsgate.system.store import Store

ALL = [metric for metric in METRICS.values() if not metric.on_request]
PLACE = "zsgate.metrics."


@pytest.fixture(autouse=True)
def nothing_recent():
    """Forget what this process computed, as a new process would."""
    cache.forget()


def test_one_distance_pass_serves_every_metric(pancreas, monkeypatch):
    """All metrics from distances and clusters measure and cluster an embedding once, and each half once."""
    passes, sweeps = [], []
    measure, sweep = distance_pass.distance_blocks, NeighbourGraph._of_vertices
    counted = lambda *args, **rest: passes.append(1) or measure(*args, **rest)  # noqa: E731
    monkeypatch.setattr(distance_pass, "distance_blocks", counted)
    monkeypatch.setattr(NeighbourGraph, "_of_vertices", lambda *args: sweeps.append(1) or sweep(*args))
    for metric in (*ALL, METRICS["isolated_labels"], METRICS["isolated_labels_f1"]):
        metric(pancreas.embedding, pancreas.dataset, seeds=1)
    assert (len(passes), len(sweeps)) == (1 + 2 * SPLITS, 20 * (1 + 2 * SPLITS))


def test_a_shuffled_twin_is_not_clustered_again(pancreas, monkeypatch):
    """Its graph is that of the rows it permutes, and so are its partitions; only its halves are other graphs."""
    rows, alone = Embedding.of(pancreas.embedding), replace(pancreas.dataset, donors=None)
    nmi = METRICS["nmi"]
    nmi(rows, alone, seeds=2)
    with monkeypatch.context() as patched:
        patched.setattr(NeighbourGraph, "_of_vertices", None)  # calling it would fail
        found = nmi(shuffled_twin(rows, alone), alone, seeds=2)
        with pytest.raises(TypeError):
            nmi(shuffled_twin(rows, alone), pancreas.dataset, seeds=2)
    cache.forget()
    assert nmi(shuffled_twin(rows, alone), alone, seeds=2) == found


def test_results_are_kept_by_what_they_weigh():
    """The oldest go first, one that is too heavy is not kept, and what is used again is young."""
    made, recent = [], cache.Recent[str](4, len)
    for word in ("aa", "bb", "aa", "cc", "aa", "bb", "too long", "bb"):
        assert recent.get(word, lambda word=word: made.append(word) or word) == word
    assert made == ["aa", "bb", "cc", "bb", "too long", "bb"]


def test_the_store_serves_scores_to_another_process(pancreas, monkeypatch, tmp_path):
    """A second process computes nothing; another embedding, recipe or source of this package does."""
    embedding = replace(Embedding.of(pancreas.embedding), store=Store(tmp_path))
    first = [metric(embedding, pancreas.dataset, seeds=1) for metric in ALL]
    cache.forget()
    monkeypatch.setattr(distance_pass, "distance_blocks", None)  # calling it would fail
    assert [metric(embedding, pancreas.dataset, seeds=1) for metric in ALL] == first
    changed = replace(Embedding.of(pancreas.embedding * 2), store=Store(tmp_path))
    coarse = replace(embedding, recipe=Recipe("coarse", n_neighbors=5))
    cache.forget()
    for given_embedding in (changed, coarse):
        with pytest.raises(TypeError):
            asw(given_embedding, pancreas.dataset)
    monkeypatch.setattr(cache, "code_of", lambda *modules: "edited")
    with pytest.raises(TypeError):
        asw(embedding, pancreas.dataset)


def packages_of(*modules: str) -> set[str]:
    """Return the packages that modules need, by their names on the index."""
    return {name.replace("_", "-") for name in packages(*(PLACE + module for module in modules))}


@pytest.fixture
def computed_by(cells, monkeypatch):
    """Return a function that gives the modules whose code is in the keys of a metric's parts."""

    def computed_by(name: str) -> set[str]:
        asked: list[str] = []
        monkeypatch.setattr(cache, "code_of", lambda *modules: asked.extend(modules) or "code")
        cache.forget()
        METRICS[name](cells.counts[:, :20].toarray(), cells, seeds=1)
        return {module.removeprefix(PLACE) for module in asked}

    return computed_by


@pytest.mark.parametrize("name", [metric.name for metric in METRICS.values() if not metric.package])
def test_no_score_depends_on_a_package_that_does_not_compute_it(computed_by, name):
    """Whether scib-metrics, scvi-tools or a model's packages are installed changes no key; torch computes distances."""
    assert not packages_of(*computed_by(name)) & {"scib-metrics", "scvi-tools", "transformers", "pytest"}


def test_scib_metrics_counts_where_it_computes():
    """Its version is in the keys of LISI and kBET."""
    assert "scib-metrics" in packages_of("embedding.lisi_kbet")


def test_a_key_follows_the_code_that_computes(computed_by):
    """A silhouette does not depend on the clusterer; a comparison with the counts does on how these are logged."""
    assert computed_by("asw") == {"embedding.silhouette"}
    assert computed_by("avg_bio") == {"embedding.silhouette", "embedding.shared"}
    assert "igraph" not in packages_of("embedding.silhouette")
    assert computed_by("pcr_comparison") == {"embedding.pcr"}
    assert "preprocess.py" in {path.name for path in files(PLACE + "embedding.pcr")}
    assert "preprocess.py" not in {path.name for path in files(PLACE + "embedding.silhouette")}

"""Make louvain_pancreas.npz: partitions by the paper's clusterer, to compare ours with.

The paper clusters with ``scanpy.tl.louvain``: package louvain, RBConfigurationVertexPartition, directed,
unweighted. That package needs an environment of its own:

    pip install "setuptools<81" igraph==0.11.9 louvain==0.8.2 anndata scikit-learn hormone2cell==0.1.2
    python tests/golden/make_louvain.py

Every third cell of hormone2cell's pancreas, 50 principal components of its log-normalised counts, kept as
float16 so that both clusterers see the same numbers.
"""

import importlib.resources
from pathlib import Path

import anndata
import igraph
import louvain
import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import NearestNeighbors

RESOLUTIONS = [step / 10 for step in range(1, 21)]
SEEDS = range(5)


def embed(counts: sp.csr_matrix) -> np.ndarray:
    """Return 50 principal components of the 2,000 most variable log-normalised genes, float16."""
    total = np.asarray(counts.sum(axis=1))
    logs = (counts.multiply(1e4 / total)).log1p().tocsc()
    mean = np.asarray(logs.mean(axis=0)).ravel()
    variance = np.asarray(logs.power(2).mean(axis=0)).ravel() - mean**2
    dense = logs[:, np.sort(np.argsort(-variance)[:2000])].toarray()
    left, scale, _ = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    return (left[:, :50] * scale[:50]).astype(np.float16)


def directed_graph(rows: np.ndarray) -> igraph.Graph:
    """Return the graph as scanpy hands it over: each edge of the union kNN graph in both directions."""
    knn = NearestNeighbors(n_neighbors=14).fit(rows).kneighbors_graph()
    starts, ends = (knn + knn.T).nonzero()
    return igraph.Graph(n=len(rows), edges=np.column_stack([starts, ends]).tolist(), directed=True)


def main() -> None:
    """Cluster at 20 resolutions with 5 seeds and write the file."""
    path = importlib.resources.files("hormone2cell") / "pancreas_downsample200CT.h5ad"
    raw = anndata.read_h5ad(path)[::3]
    embedding = embed(sp.csr_matrix(raw.raw.X))
    graph = directed_graph(embedding.astype(np.float64))
    partitions = np.array(
        [
            [
                louvain.find_partition(
                    graph,
                    louvain.RBConfigurationVertexPartition,
                    resolution_parameter=resolution,
                    seed=seed,
                ).membership
                for resolution in RESOLUTIONS
            ]
            for seed in SEEDS
        ],
        dtype=np.uint8,
    )
    np.savez_compressed(
        Path(__file__).with_name("louvain_pancreas.npz"),
        embedding=embedding,
        labels=raw.obs["cell_type"].cat.codes.to_numpy().astype(np.uint8),
        resolutions=RESOLUTIONS,
        partitions=partitions,
    )


if __name__ == "__main__":
    main()

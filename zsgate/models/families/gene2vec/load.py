"""Reading vectors of genes from their files: published ones, where a package has them or a folder, or one's own."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from zsgate.data.file.anndata_file import open_file
from zsgate.data.file.boundary import boundary
from zsgate.errors import UsageProblem
from zsgate.models.device import chosen_device
from zsgate.models.families.gene2vec.adapter import TABLE, Gene2vec
from zsgate.models.families.gene2vec.checkpoints import FOLDER, ORDER, OWN_ORDER, OWN_VECTORS, PACKAGE, VECTORS, VERSION
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.gene_order import GeneOrder
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.weights import MOST_SIZE, absent_files, refuse_other_genes
from zsgate.system.cache import find_folder


def load(
    name: str = "gene2vec_16906",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> Gene2vec:
    """Return the adapter of vectors of genes.

    Parameters
    ----------
    name
        ``"gene2vec_16906"``, or ``"gene2vec"``, vectors of one's own.
    weights
        Folder with ``gene2vec_16906.npy`` and ``panglao_10000_simplified.h5ad``, or with ``vectors.npy`` and
        ``genes.tsv``, a gene a row; None takes the cache, or the package scfoundry 0.2.1 where it is installed.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not what its name says.
    """
    where = chosen_device(device)
    if weights is None and name in CHECKPOINTS and absent_files(CHECKPOINTS[name], None, find_folder(cache)):
        weights = find_package()
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    published = VECTORS in files
    vectors = files[VECTORS if published else OWN_VECTORS].path
    order = files[ORDER if published else OWN_ORDER]
    refuse_other_genes(checkpoint, order)
    genes = _read_h5ad(order.path) if published else GeneOrder.read(order.path)
    table = read_vectors(vectors, len(genes))
    return Gene2vec(
        checkpoint=checkpoint,
        state={TABLE: table},
        files=files,
        left_out=(),
        device=where,
        dtype=torch.float32,
        preset=preset,
        genes=genes,
        size=table.shape[1],
        spread=float(table.double().std()),
    )


def find_package() -> Path | None:
    """Return the folder of the files in the package that carries them, which is not imported; None without it."""
    try:
        spec = find_spec(PACKAGE) if version(PACKAGE) == VERSION else None
    except PackageNotFoundError:
        return None
    places = spec.submodule_search_locations if spec is not None else None
    folder = Path(next(iter(places))) / FOLDER if places else None
    return folder if folder is not None and folder.is_dir() else None


def read_vectors(path: Path, n_genes: int) -> torch.Tensor:
    """Return the vectors in a ``.npy``, float32 (n_genes, d); no code in it is run.

    Raises
    ------
    UsageProblem
        If it is damaged, holds objects, or not a vector of numbers for each gene.
    """
    with boundary(f"{path}: cannot read the vectors"):
        found = np.lib.format.open_memmap(path, mode="r")
    if found.dtype not in (np.float32, np.float64) or found.ndim != 2:
        msg = f"{path} holds {found.dtype} {found.shape}; float32 or float64 (n_genes, d) is expected"
        raise UsageProblem(msg)
    if len(found) != n_genes or not 0 < found.shape[1] <= MOST_SIZE:
        msg = f"{path} holds {len(found):,} vectors of {found.shape[1]:,} numbers for {n_genes:,} genes"
        raise UsageProblem(msg)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused as that
        table = np.array(found, dtype=np.float32)
    if not np.isfinite(table).all():
        msg = f"{path} holds vectors that are not finite"
        raise UsageProblem(msg)
    return torch.from_numpy(table)


def _read_h5ad(path: Path) -> GeneOrder:
    """Return the genes of a file of cells, in its order."""
    with boundary(f"{path}: cannot read the genes"), open_file(path) as file:
        names = file.var("X").index.astype(str).tolist()
    return GeneOrder.of(names, path)

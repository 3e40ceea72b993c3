"""Formats: the files of cells that are read, and how to convert those that are not."""

from __future__ import annotations

from pathlib import Path

from zsgate.errors import UsageProblem

FILES = (".h5ad", ".zarr")
SCANPY = "import scanpy as sc; sc.{}.write_h5ad('{}.h5ad')"
# ending: how a file with it is made an .h5ad, as a program with the file's name and its stem
PYTHON = {
    ".loom": SCANPY.format("read_loom('{0}')", "{1}"),
    ".h5": SCANPY.format("read_10x_h5('{0}')", "{1}"),
    ".h5mu": "import mudata; mudata.read_h5mu('{0}')['rna'].write_h5ad('{1}.h5ad')",
    ".mtx": SCANPY.format("read_10x_mtx('{2}')", "{1}"),
    ".mtx.gz": SCANPY.format("read_10x_mtx('{2}')", "{1}"),
    ".csv": SCANPY.format("read_csv('{0}')", "{1}"),
    ".tsv": SCANPY.format("read_text('{0}', delimiter='\\t')", "{1}"),
}
OTHER = {
    ".h5ad.gz": "gunzip {0}",
    ".rds": "in R: zellkonverter::writeH5AD(Seurat::as.SingleCellExperiment(readRDS('{0}')), '{1}.h5ad')",
}
FOREIGN = (*OTHER, *PYTHON)
MATRICES = ("matrix.mtx", "matrix.mtx.gz")  # what Cell Ranger's folders hold


def refuse_other_formats(path: Path) -> None:
    """Raise UsageProblem unless ``path`` is there and ends like a file that is read; say how to convert another."""
    known = path.suffix.lower() in FILES
    if not path.exists():
        msg = f"{path}: no such file" + ("" if known else "; datasets are read from .h5ad files and .zarr stores")
        raise UsageProblem(msg)
    if known:
        return
    if how := _conversion(path):
        msg = f"{path}: convert it to .h5ad first: {how}"
        raise UsageProblem(msg)
    msg = f"{path}: datasets are read from .h5ad files and .zarr stores"
    raise UsageProblem(msg)


def _conversion(path: Path) -> str:
    """Return what to type to make an .h5ad of a file or folder of another format, or an empty string."""
    if path.is_dir():
        if not any((path / name).exists() for name in MATRICES):
            return ""
        return _typed(PYTHON[".mtx"].format(path, path.name, path))
    ending = next((each for each in FOREIGN if path.name.lower().endswith(each)), None)
    if ending is None:
        return ""
    stem = path.with_name(path.name[: -len(ending)])
    if ending in OTHER:
        return OTHER[ending].format(path, stem)
    return _typed(PYTHON[ending].format(path, stem, path.parent))


def _typed(program: str) -> str:
    return f'python -c "{program}"'

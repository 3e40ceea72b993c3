"""The cells: which donors the model is pretrained on, and which it is judged on.

The package hormone2cell ships 3,274 human pancreas cells of 20 donors from four studies. The last two donors of each
study, by name, are judged on: the model sees no cell of theirs before the gate. zsgate's quick tier draws cells of all
20 donors, so that dataset would not do.

    python -m isletgpt.data

writes ``data/pretraining.h5ad`` (counts only) and ``data/islets_judged.h5ad`` (counts, cell types, studies, donors).
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import anndata
import pandas as pd

JUDGED = ("HPAP037", "HPAP040", "D30", "D31", "TUM_25", "TUM_C1", "R245", "R266")
FILE = "pancreas_downsample200CT.h5ad"
COLUMNS = {"cell_type": "cell_type", "Dataset": "study", "donor_id": "donor"}


@cache
def all_cells() -> anndata.AnnData:
    """Return raw counts of all cells, with cell types, studies and donors, genes by Ensembl id.

    Raises
    ------
    ModuleNotFoundError
        If the package hormone2cell is not installed.
    """
    package = find_spec("hormone2cell")
    if package is None or package.origin is None:
        msg = "the cells come with a package: pip install hormone2cell"
        raise ModuleNotFoundError(msg)
    whole = anndata.read_h5ad(Path(package.origin).parent / FILE)
    obs = whole.obs[list(COLUMNS)].rename(columns=COLUMNS).astype(str)
    var = pd.DataFrame({"symbol": whole.raw.var["feature_name"].astype(str)}, index=whole.raw.var_names)
    counts = whole.raw.X.tocsr().astype("float32")
    counts.sort_indices()
    expressed = counts.getnnz(axis=0) > 0
    return anndata.AnnData(counts[:, expressed], obs=obs, var=var[expressed])


def pretraining_cells() -> anndata.AnnData:
    """Return the cells of the donors that nobody is judged on, without their cell types."""
    cells = all_cells()
    cells = cells[~cells.obs["donor"].isin(JUDGED)].copy()
    del cells.obs["cell_type"]
    return cells


def judged_cells() -> anndata.AnnData:
    """Return the cells that the gate is given."""
    cells = all_cells()
    return cells[cells.obs["donor"].isin(JUDGED)].copy()


def main() -> None:
    """Write both files."""
    folder = Path("data")
    folder.mkdir(exist_ok=True)
    for name, cells in (("pretraining", pretraining_cells()), ("islets_judged", judged_cells())):
        cells.write_h5ad(folder / f"{name}.h5ad")
        print(f"data/{name}.h5ad: {cells.n_obs:,} cells of {cells.obs['donor'].nunique()} donors")


if __name__ == "__main__":
    main()

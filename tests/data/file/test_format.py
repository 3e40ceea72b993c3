"""Files of other formats: how they are converted is said first."""

from __future__ import annotations

import shutil

import pytest
from annotated import annotated

from zsgate.data.annotations import Columns
from zsgate.data.file.path import expanded, is_file
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("cells.h5ad.gz", "gunzip "),
        ("cells.loom", "python -c \"import scanpy as sc; sc.read_loom('"),
        ("cells.h5", "python -c \"import scanpy as sc; sc.read_10x_h5('"),
        ("cells.h5mu", "python -c \"import mudata; mudata.read_h5mu('"),
        ("matrix.mtx.gz", "python -c \"import scanpy as sc; sc.read_10x_mtx('"),
        ("cells.csv", "python -c \"import scanpy as sc; sc.read_csv('"),
        ("cells.rds", "in R: zellkonverter::writeH5AD("),
    ],
)
def test_other_formats_are_converted_first(tmp_path, name, how):
    """What to type names the file and the .h5ad that it makes."""
    (tmp_path / name).touch()
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(tmp_path / name, "cells", Columns(label="cell_type"))
    assert f"{name}: convert it to .h5ad first: {how}" in str(refused.value)
    assert is_file(name)


def test_a_folder_of_cell_ranger_is_converted_first(tmp_path):
    """It is given by its path; a folder without a matrix is none."""
    folder = tmp_path / "filtered_feature_bc_matrix"
    folder.mkdir()
    with pytest.raises(UsageProblem, match=r"datasets are read from .h5ad files and .zarr stores"):
        read_h5ad(folder, "cells", Columns(label="cell_type"))
    (folder / "matrix.mtx.gz").touch()
    with pytest.raises(UsageProblem, match=r"convert it to .h5ad first: .*sc.read_10x_mtx\('.*/filtered_feature"):
        read_h5ad(folder, "cells", Columns(label="cell_type"))
    assert is_file("data/filtered_feature_bc_matrix/")


def test_what_is_typed_converts(some, tmp_path):
    """The line for a file of text gives the counts."""
    import subprocess
    import sys

    annotated(some).to_df().iloc[:5, :9].to_csv(tmp_path / "cells.csv")
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(tmp_path / "cells.csv", "cells", Columns(label="cell_type"))
    typed = str(refused.value).partition("first: python")[2]
    subprocess.run(f"{sys.executable} -W ignore{typed}", shell=True, check=True)
    with pytest.raises(UsageProblem, match="no column 'cell_type' for --label; obs has no columns"):
        read_h5ad(tmp_path / "cells.h5ad", "cells", Columns(label="cell_type"))


def test_endings_in_capitals_are_endings(adata, some, tmp_path, usual):
    """Windows and some instruments write .H5AD."""
    adata.write_h5ad(tmp_path / "cells.h5ad")
    shutil.move(tmp_path / "cells.h5ad", tmp_path / "CELLS.H5AD")
    assert read_h5ad(tmp_path / "CELLS.H5AD", "cells", usual).digest == some.digest
    assert is_file("CELLS.H5AD")


def test_the_home_of_nobody_is_refused(monkeypatch):
    """``~nobody_of_this_name/x`` is one sentence; ``~/x`` is under HOME."""
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(expanded("~/x")) == "/somewhere/x"
    with pytest.raises(UsageProblem, match="~nobody_of_this_name/x: there is no such home folder"):
        expanded("~nobody_of_this_name/x")

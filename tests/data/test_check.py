"""What a file holds, what is wrong with it, and what to type: on every real file, and on spoiled ones."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from annotated import annotated

from zsgate.cli import main
from zsgate.data.annotations import Columns
from zsgate.data.check import check_file, no_batch_score, remarks
from zsgate.data.read import read_h5ad


@pytest.fixture
def file(few_cells, tmp_path) -> Path:
    """Write the few cells as a lab would, log-normalised X and counts in a layer."""
    made = annotated(few_cells)
    made.obs["CellType"] = pd.Categorical(few_cells.cell_types.astype(object))
    made.layers["counts"] = made.X.copy()
    made.X = made.X.log1p()
    made.write_h5ad(tmp_path / "lab.h5ad")
    return tmp_path / "lab.h5ad"


def test_a_good_file_is_described(file, capsys):
    """Matrices, guessed columns, genes, what is judged on, and a command; exit 0."""
    assert main(["data", "check", str(file)]) == 0
    said = capsys.readouterr().out
    for line in (
        "lab.h5ad: 240 cells",
        "  layers/counts: 240 x 15,616, csr, ",
        "  X: 240 x 15,616, csr, ",
        "label: CellType (a guess), ",
        "donor: donor (a guess), 12 values (",
        "counts: layers/counts; genes: ",
        "judged on: 240 cells x ",
        f"type: pytest --model=NAME --datasets={file} --label=CellType --batch=batch --donor=donor",
    ):
        assert line in said


def test_what_is_typed_reads_the_file(file):
    """The columns of the command are those that the file is read with."""
    options = dict(part[2:].split("=", 1) for part in shlex.split(check_file(file, Columns()).commands[0])[2:])
    roles = {role: value for role, value in options.items() if role != "datasets"}
    assert read_h5ad(Path(options["datasets"]), "lab", Columns(**roles)).n_cells == 240


def test_binarised_counts_are_remarked_on(file):
    """Zeros and ones are integers, and yet no counts of molecules; of real counts nothing is said."""
    remark = "  no count is above 1: they look binarised"
    assert remark not in check_file(file, Columns()).lines
    adata = anndata.read_h5ad(file)
    adata.layers["counts"] = (adata.layers["counts"] > 0).astype(np.float32)
    adata.write_h5ad(file)
    assert remark in check_file(file, Columns()).lines


def test_problems_are_listed_together(file, capsys):
    """A wrong column and wrong counts are both said; exit 1 and no command."""
    assert main(["data", "check", str(file), "--donor=doner", "--counts=X"]) == 1
    said = capsys.readouterr().out
    assert "wrong: lab.h5ad: no column 'doner' for --donor; did you mean 'donor'?" in said
    assert "wrong: lab.h5ad: X holds numbers that are not integers" in said
    assert "type:" not in said


def test_names_with_line_breaks_stay_in_their_line(file):
    """A gene or a type can be called anything; a fact is a line."""
    adata = anndata.read_h5ad(file)
    adata.var = pd.DataFrame(index=["first\ngene", *adata.var_names[1:]])
    adata.obs["CellType"] = adata.obs["CellType"].cat.rename_categories(lambda name: f"{name}\nX")
    adata.write_h5ad(file)
    lines = check_file(file, Columns()).lines
    assert not [line for line in lines if "\n" in line]
    assert any("first gene" in line for line in lines)


def test_barcodes_are_no_donors(file, capsys):
    """A column with as many values as cells is a problem, said with its counts and the remedy; exit 1."""
    adata = anndata.read_h5ad(file)
    adata.obs["barcode"] = adata.obs_names.to_numpy()
    adata.write_h5ad(file)
    assert main(["data", "check", str(file), "--donor=barcode"]) == 1
    said = capsys.readouterr().out
    assert "wrong: lab.h5ad: column 'barcode' for --donor has 240 values in 240 cells" in said
    assert "or leave it out and speak for the cells" in said
    assert "type:" not in said


def test_a_damaged_file_exits_with_1(tmp_path, capsys):
    """Something is wrong with what was checked, and the sentence is that of a run."""
    (tmp_path / "text.h5ad").write_text("cell,gene")
    assert main(["data", "check", str(tmp_path / "text.h5ad")]) == 1
    assert "wrong: " in (said := capsys.readouterr().out)
    assert "text.h5ad: not a readable .h5ad file (" in said


def test_labels_that_are_none_are_those_of_a_run(file, tmp_path, monkeypatch, capsys):
    """What pyproject.toml says is left out of what is checked, too."""
    adata = anndata.read_h5ad(file)
    adata.obs["CellType"] = pd.Categorical(["unknown", *adata.obs["CellType"].astype(object)[1:]])
    adata.write_h5ad(file)
    monkeypatch.chdir(tmp_path)
    assert main(["data", "check", str(file)]) == 0
    assert "1 cells are labelled 'unknown', which counts as a cell type" in capsys.readouterr().out
    (tmp_path / "pyproject.toml").write_text("[tool.zsgate]\nnot_labels = ['unknown']\n")
    assert main(["data", "check", str(file)]) == 0
    assert "1 cells labelled 'unknown' are left out" in capsys.readouterr().out


def test_a_file_that_is_absent_exits_with_4(tmp_path, capsys):
    """As in a run of the gate: bad usage is exit 4."""
    assert main(["data", "check", str(tmp_path / "absent.h5ad")]) == 4
    assert "absent.h5ad: no such file" in capsys.readouterr().err


def test_without_labels_the_columns_are_listed(file):
    """Nothing that looks like cell types: the columns there are, for the user to choose."""
    adata = anndata.read_h5ad(file)
    adata.obs = adata.obs.rename(columns={"CellType": "xyz"})
    adata.write_h5ad(file)
    found = check_file(file, Columns())
    assert not found.usable
    assert "no column of cell types; name it with --label, obs has batch, donor, xyz" in str(found)


@pytest.mark.slow
def test_every_real_file_is_usable(shared_data):
    """Labels and counts of all eight are found without being named."""
    for path in sorted((shared_data / "data").glob("*.h5ad")):
        found = check_file(path, Columns())
        assert found.usable, str(found)
        assert "--label=cell_type" in found.commands[0]


def test_rules_name_what_cannot_be_judged(few_cells):
    """Small labels, labels of one batch, nested batches, one batch, few donors: a sentence each."""
    from dataclasses import replace

    names = np.unique(few_cells.cell_types)
    for dataset, says in (
        (replace(few_cells, batches=np.full(240, "one")), "no batch score: the dataset has one batch"),
        (replace(few_cells, batches=few_cells.cell_types), "every cell type lies in one batch only"),
        (replace(few_cells, batches=None), "no batch score: no column of batches is named"),
        (replace(few_cells, donors=None), "no column of donors is named, 6 are needed"),
    ):
        assert says in " ".join(remarks(dataset))
    labels = few_cells.cell_types.copy()
    labels[labels == names[0]] = names[1]
    labels[:4] = "rare"
    assert "1 cell type (rare) has fewer than 10 cells" in " ".join(remarks(replace(few_cells, cell_types=labels)))
    assert no_batch_score(few_cells) == ""
    assert not any("donors" in remark for remark in remarks(replace(few_cells, donors=None, scope="cells")))


def test_embeddings_are_listed_with_what_judges_them(file, capsys):
    """A command for each key of obsm; with --json the same for programs."""
    adata = anndata.read_h5ad(file)
    adata.obsm["X_pca"] = adata.obsm["X_scGPT"] = np.random.default_rng(0).normal(size=(adata.n_obs, 4))
    adata.write_h5ad(file)
    assert main(["data", "check", str(file)]) == 0
    said = capsys.readouterr().out
    assert "embeddings: X_pca, X_scGPT" in said
    assert f"type: pytest '--model={file}#X_scGPT' --datasets={file} --label=CellType" in said
    assert main(["data", "check", str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["embeddings"], len(found["commands"]), found["problems"]) == (["X_pca", "X_scGPT"], 2, [])
    assert found["columns"]["label"] == "CellType"


def test_a_file_without_genes_has_none_to_show(file, capsys):
    """A table of genes with no row is a problem of the file, and no error of the check."""
    anndata.read_h5ad(file)[:, :0].write_h5ad(file)
    assert main(["data", "check", str(file)]) == 1
    said = capsys.readouterr()
    assert "genes: none; " in said.out
    assert "no cell has both a label and 10 detected genes" in said.out
    assert said.err == ""

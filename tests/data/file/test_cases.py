"""Damaged files that were seen to crash, hang or lie: one sentence each, from a run's reading and from data check."""

from __future__ import annotations

import pytest

from zsgate.cli import main
from zsgate.data.annotations import Columns
from zsgate.data.read import read_h5ad
from zsgate.errors import UsageProblem
from zsgate.models.precomputed.adapter import Precomputed

NEVER_ENDS = "damaged: the HDF5 library does not come to an end with it"
CONTRADICTION = "X is no matrix of numbers (data, indices and indptr contradict each other)"
CASES = {
    "indptr_last_minus1": CONTRADICTION,
    "csc_indptr_last_minus1": CONTRADICTION,
    "indptr_last_minus1_indptr_huge": CONTRADICTION,
    "indptr_last_minus300": CONTRADICTION,
    "dup_obs_column": "obs is no table (it names column 'cell_type' twice)",
    "obs_array": "obs is no table (it is stored as array)",
    "var_column_1TB": "var is no table (column 'n' has 1,099,511,627,776 entries for 80 rows)",
    "crash_2421": "obs: column 'batch' cannot be read (it is stored as csc_matrix)",
    "h5flip_hang_13360": NEVER_ENDS,
}


@pytest.mark.parametrize(("name", "says"), CASES.items())
def test_a_damaged_file_is_one_sentence(shared_data, name, says, capsys):
    """The sentence says what is wrong; data check exits with 1."""
    path = shared_data / "cases" / f"{name}.h5ad"
    with pytest.raises(UsageProblem) as refused:
        read_h5ad(path, name, Columns(label="cell_type", batch="batch", donor="donor"))
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert main(["data", "check", str(path)]) == 1
    said = capsys.readouterr()
    assert says in said.out
    assert "type:" not in said.out
    assert "Traceback" not in said.err


def test_a_damaged_column_that_nobody_asked_for_does_not_matter(shared_data):
    """What is not needed is not read: this file fails at its matrix, and not at the column."""
    with pytest.raises(UsageProblem, match="X has 59 cells x 80 genes, its tables list 60 cells"):
        read_h5ad(shared_data / "cases" / "crash_2421.h5ad", "crash", Columns(label="cell_type", counts="X"))


def test_an_embedding_that_never_ends_is_one_sentence(shared_data, few_cells):
    """As ``--model=FILE``."""
    with pytest.raises(UsageProblem, match=NEVER_ENDS):
        Precomputed(shared_data / "cases" / "emb_hang.h5ad").embed(few_cells)

"""Embeddings: what is accepted as rows, what is refused and how, and what a digest tells apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from zsgate.models.embedding import Embedding, check_rows

ROWS = np.arange(12, dtype=np.float64).reshape(4, 3)


@pytest.mark.parametrize(
    "values",
    [
        ROWS,
        ROWS.astype(np.int8),
        ROWS.astype(np.float16),
        np.asfortranarray(ROWS),
        ROWS.tolist(),
        pd.DataFrame(ROWS),
        torch.tensor(ROWS, requires_grad=True),
        torch.tensor(ROWS, dtype=torch.bfloat16),
        torch.tensor(ROWS, dtype=torch.int64),
    ],
    ids=["float64", "int8", "float16", "fortran", "lists", "frame", "gradient", "bfloat16", "int64"],
)
def test_rows_of_numbers_are_taken(values):
    """Arrays, lists, data frames and tensors come back as float32, C-contiguous, with the same values."""
    rows = check_rows(values, source="m", n_cells=4)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_array_equal(rows, ROWS)


def with_(value):
    """Return ROWS as float64 with one value replaced, in row 2."""
    changed = ROWS.copy()
    changed[2, 1] = value
    return changed


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (ROWS[:3], "m gave 3 rows for 4 cells"),
        (with_(np.nan), "NaN or infinite values for 1 of 4 cells (first: row 2)"),
        (with_(-np.inf), "NaN or infinite values for 1 of 4 cells (first: row 2)"),
        (with_(1e39), "NaN or infinite values for 1 of 4 cells (first: row 2)"),
        (np.full((4, 3), 0.1), "same row for all 4 cells"),
        (with_(1.0) * 1e-50, "loses 100 % of the variance between cells when rounded"),
        (ROWS[:, :0], "empty array of shape (4, 0)"),
        (ROWS[:, 0], "2-D array of numbers, one row a cell; it gave ndarray float64 (4,)"),
        (ROWS[None], "it gave ndarray float64 (1, 4, 3)"),
        (ROWS.astype(object), "it gave ndarray object (4, 3)"),
        (ROWS.astype(str), "it gave ndarray <U32 (4, 3)"),
        (ROWS.astype(complex), "it gave ndarray complex128 (4, 3)"),
        (None, "it gave NoneType"),
        ([[1.0], [1.0, 2.0], [3.0], [4.0]], "one row a cell; NumPy says: "),
        (sp.csr_matrix(ROWS), "sparse matrix; an embedding is dense: return it with .toarray()"),
        (torch.full((4, 3), torch.nan), "NaN or infinite values for 4 of 4 cells (first: row 0)"),
    ],
)
def test_what_is_no_embedding_is_refused_in_one_sentence(values, says):
    """Length, NaN, infinity (also of the cast), constants, shapes and types: the sentence names source and fault."""
    with pytest.raises(ValueError, match=r"^m ") as refused:
        check_rows(values, source="m", n_cells=4)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize(("shift", "fits"), [(0, True), (1e5, True), (1e7, False), (1e8, False)])
def test_float64_far_from_the_origin_is_refused(kind, shift, fits):
    """Where float32 is coarser than the cells are apart; a large scale, or a far constant dimension, is fine."""
    rows = np.random.default_rng(0).normal(size=(300, 10))
    check_rows(kind((1 + shift) * rows), source="m")
    check_rows(kind(np.column_stack([rows, np.full(300, shift)])), source="m")
    if fits:
        np.testing.assert_allclose(check_rows(kind(rows + shift), source="m"), rows + shift, rtol=1e-7)
    else:
        with pytest.raises(ValueError, match=r"^m loses [\d.e+]+ % of the variance .* float32; subtract the mean"):
            check_rows(kind(rows + shift), source="m")


def test_one_cell_is_not_constant():
    """A single row cannot be told from a constant and passes."""
    assert check_rows([[1.0, 1.0]], source="m").shape == (1, 2)


@given(hnp.arrays(np.float32, (5, 2), elements=st.floats(-1e3, 1e3, width=32)), st.integers(0, 4), st.integers(0, 1))
def test_a_digest_changes_with_any_value(rows, row, column):
    """The same values give the same digest; one value changed gives another."""
    rows[:, 0] += np.arange(5)
    changed = rows.copy()
    changed[row, column] += 1
    assert Embedding.of(rows.copy()).digest == Embedding.of(rows).digest != Embedding.of(changed).digest


def test_a_digest_tells_shapes_and_draws_apart():
    """The same bytes in another shape, or dealt to other draws, are another embedding."""
    draws = [ROWS, ROWS.reshape(3, 4)], [ROWS.reshape(2, 6), ROWS.reshape(6, 2)]
    digests = {Embedding.of(one).digest for pair in draws for one in pair}
    assert len(digests) == 4
    assert Embedding.of([ROWS, ROWS + 1]).digest != Embedding.of([ROWS + 1, ROWS]).digest
    assert Embedding.of([ROWS]).digest == Embedding.of(ROWS, source="other").digest


def test_draws_are_of_the_same_cells():
    """No draws at all, or draws of different lengths, are refused."""
    with pytest.raises(ValueError, match="no rows"):
        Embedding.of([])
    with pytest.raises(ValueError, match=r"same cells; they have \[2, 4\] rows"):
        Embedding.of([ROWS, ROWS[:2]])
    assert [draw.shape for draw in Embedding.of((ROWS, ROWS + 1)).draws] == [(4, 3), (4, 3)]

"""The pass in torch equals float64 differences pair by pair, on the CPU here and on a GPU where there is one."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.metrics.cells import Cells
from zsgate.metrics.embedding import distance_pass
from zsgate.metrics.neighbours import backend, distances, float32
from zsgate.metrics.neighbours.on_torch import blocks as on_torch
from zsgate.metrics.neighbours.on_torch import columns

N_CELLS, N_LABELS, N_NEAREST = 600, 5, 14
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]


def drawn(d: int, seed: int = 0):
    """Return rows around the centres of their labels, and the first rows of groups and of labels."""
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(N_LABELS, size=N_CELLS))
    parts = rng.integers(9, size=N_CELLS)
    order = np.lexsort((parts, labels))
    starts = [np.unique(key, return_index=True)[1] for key in (9 * labels + parts[order], labels)]
    centres = 2 * rng.normal(size=(N_LABELS, d))[labels]
    return rng, centres, rng.normal(size=(N_CELLS, d)), starts


def half_alike(rows, rng):
    rows[rng.permutation(len(rows))[: len(rows) // 2]] = rows[0]
    return rows


def with_outliers(rows, _):
    rows[7], rows[100:110] = 1e4, -1e4
    return rows


CASES = {
    "plain": lambda centres, noise, _: centres + noise,
    "1e5 from the origin": lambda centres, noise, _: centres + noise + 1e5,
    "labels 1e-5 wide": lambda centres, noise, _: centres + 1e-5 * noise,
    "clusters 1e-5 wide that are no labels": lambda centres, noise, rng: rng.permutation(centres) + 1e-5 * noise,
    "everybody twice": lambda centres, noise, _: np.tile((centres + noise)[: N_CELLS // 2], (2, 1)),
    "half alike": lambda centres, noise, rng: half_alike(centres + noise, rng),
    "outliers at 1e4": lambda centres, noise, rng: with_outliers(centres + noise, rng),
    "all equal": lambda centres, noise, _: np.ones_like(noise),
    "small numbers": lambda centres, noise, _: 1e-30 * (centres + noise),
    "large numbers": lambda centres, noise, _: 1e15 * (centres + noise),
    "a column that varies": lambda centres, noise, _: np.eye(1, noise.shape[1]) * noise,
}


def oracle(rows, groups):
    """Return all distances by differences in float64, and their sums by group."""
    wide = rows.astype(np.float64)
    pairs = np.stack([np.sqrt(((wide - row) ** 2).sum(axis=1)) for row in wide])
    return pairs, np.add.reduceat(pairs, groups, axis=1)


def together(blocks, n_cells, n_groups, n_nearest):
    """Return sums and neighbours of all cells, each of them met once and in order."""
    sums, near, stop = np.empty((n_cells, n_groups)), np.empty((n_cells, n_nearest), np.intp), 0
    for block in blocks:
        assert block.start == stop < block.stop
        stop = block.stop
        sums[block.start : stop], near[block.start : stop] = block.sums, block.neighbours
    assert stop == n_cells
    return sums, near


def check(rows, groups, borders, n_nearest, device, rtol=1e-6):
    """Hold sums to ``rtol`` of themselves, zeros to 0, and neighbours to the nearest, whichever are equally near."""
    found = list(on_torch.blocks(rows, groups, borders, n_nearest=n_nearest, device=torch.device(device)))
    assert not any(block.rounding.any() for block in found)
    sums, near = together(found, len(rows), len(groups), n_nearest)
    pairs, expected = oracle(rows, groups)
    np.testing.assert_allclose(sums, expected, rtol=rtol, atol=0)
    np.fill_diagonal(pairs, np.inf)
    nearest = np.sort(np.partition(pairs, n_nearest - 1, axis=1)[:, :n_nearest], axis=1)
    np.testing.assert_array_equal(np.sort(np.take_along_axis(pairs, near, axis=1), axis=1), nearest)
    assert (np.sort(near, axis=1)[:, 1:] > np.sort(near, axis=1)[:, :-1]).all()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("d", [1, 2, 50, 130])
@pytest.mark.parametrize("case", CASES)
def test_sums_and_neighbours_are_those_of_differences(case, d, device):
    """On well-behaved cells, and where products of float32 cancel everything."""
    rng, centres, noise, (groups, borders) = drawn(d)
    check(CASES[case](centres, noise, rng).astype(np.float32), groups, borders, N_NEAREST, device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("bytes_held", "stretch"), [(1, 64), (40_000, 8)])
def test_blocks_of_any_size_give_the_same(monkeypatch, bytes_held, stretch, device):
    """Rows one or a few at a time, and stretches of any length to compute anew."""
    monkeypatch.setattr(on_torch, "CPU_BYTES", bytes_held)
    monkeypatch.setattr(on_torch, "STRETCH", stretch)
    monkeypatch.setattr(columns, "STRETCH", stretch)
    rng, centres, noise, (groups, borders) = drawn(20)
    for case in ("plain", "half alike", "clusters 1e-5 wide that are no labels"):
        rows = CASES[case](centres, noise, rng).astype(np.float32)
        check(rows, groups, borders, N_NEAREST, device)


@given(
    st.integers(2, 40).flatmap(
        lambda n: st.tuples(
            st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=n, max_size=n),
            st.sets(st.integers(1, n - 1), max_size=n - 1),
            st.integers(1, n - 1),
            st.sampled_from([1e-20, 1.0, 1e10]),
        )
    )
)
@settings(max_examples=30, deadline=None)
def test_a_few_cells_with_many_copies(drawn_cells):
    """From two cells on, any groups, up to all others as neighbours; a sum of one distance has its whole rounding."""
    rows, starts, n_nearest, unit = drawn_cells
    groups = np.array([0, *sorted(starts)])
    one = on_torch.error_bound(3) / on_torch.NEAR / 2  # a distance's is half its square's
    check((np.array(rows) * unit).astype(np.float32), groups, groups[:1], n_nearest, "cpu", one)


@pytest.mark.skipif(find_spec("hormone2cell") is None, reason="needs the cells of hormone2cell")
@pytest.mark.parametrize("device", DEVICES)
def test_a_real_embedding_scores_as_on_the_cpu(pancreas, monkeypatch, device):
    """1,500 cells x 50 with every leave-out: widths within 1e-6, the mean within 1e-7, the same neighbours."""
    cells = Cells.of(pancreas.dataset)
    usual = distance_pass.distance_pass(pancreas.embedding, cells, N_NEAREST)
    monkeypatch.setattr(distance_pass, "distance_blocks", partial(on_torch.blocks, device=torch.device(device)))
    ours = distance_pass.distance_pass(pancreas.embedding, cells, N_NEAREST)
    np.testing.assert_allclose(ours.asw, usual.asw, rtol=0, atol=1e-7)
    np.testing.assert_allclose(ours.batch_score, usual.batch_score, rtol=0, atol=1e-7)
    np.testing.assert_allclose(ours.label_widths, usual.label_widths, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(np.sort(ours.neighbours, axis=1), np.sort(usual.neighbours, axis=1))


@pytest.mark.parametrize("d", [50, 512, 2000])
def test_the_bound_on_float32_squares_holds(d):
    """What the proof that no other cell is nearer rests on, on rows with a long common part that cancels."""
    rng = np.random.default_rng(d)
    rows = (rng.normal(size=(300, d)) + 10 * rng.normal(size=d)).astype(np.float32)
    squares = (rows**2).sum(axis=1)
    ours = squares[:, None] + squares - 2 * rows @ rows.T
    wide = rows.astype(np.float64)
    true = np.stack([((wide - row) ** 2).sum(axis=1) for row in wide])
    norms = (wide**2).sum(axis=1)
    assert (np.abs(ours - true) <= on_torch.error_bound(d) * (norms[:, None] + norms)).all()


@pytest.mark.parametrize("device", DEVICES)
def test_cells_without_proof_are_searched_whole(monkeypatch, device):
    """With a bound so wide that it proves nothing, every cell's neighbours come from float64 alone: the same."""
    searched = []
    search = on_torch.exact_search
    monkeypatch.setattr(on_torch, "error_bound", lambda _: 1.0)
    monkeypatch.setattr(on_torch, "exact_search", lambda *given: searched.append(len(given[1])) or search(*given))
    _, centres, noise, (groups, borders) = drawn(10)
    check((centres + noise).astype(np.float32), groups, borders, N_NEAREST, device)
    assert sum(searched) == N_CELLS


def test_no_neighbours_are_wanted():
    """Sums alone, as of the cells in another order, whose neighbours are known."""
    _, centres, noise, (groups, borders) = drawn(10)
    rows = (centres + noise).astype(np.float32)
    found = on_torch.blocks(rows, groups, borders, n_nearest=0, device=torch.device("cpu"))
    sums, _ = together(found, N_CELLS, len(groups), 0)
    np.testing.assert_allclose(sums, oracle(rows, groups)[1], rtol=1e-6)


@pytest.mark.parametrize("fault", [np.nan, np.inf])
def test_a_value_that_is_no_number_is_refused(monkeypatch, fault):
    """As on the CPU, which is asked to say so."""
    rows = np.ones((60, 3), np.float32)
    rows[7, 1] = fault
    monkeypatch.setattr(backend.BACKEND, "device", "meta")
    groups = np.array([0, 30])
    with pytest.raises(ValueError, match="NaN or infinite"):
        list(distances.distance_blocks(rows, groups, groups, n_nearest=3))


def test_precision_is_what_it_was():
    """Whoever allows TF32 for models gets float32 here and TF32 back."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        _, centres, noise, (groups, borders) = drawn(300)
        check((centres + noise).astype(np.float32), groups, borders, N_NEAREST, "cpu")
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision(before)


def test_a_cell_beyond_float32_squares_stays_on_the_cpu(monkeypatch):
    """A typical cell is at 1; one at 1e18 has a square that float32 does not hold."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3)).astype(np.float32)
    assert on_torch.suits(rows, torch.device("cpu"))
    rows[5] = 1e18
    assert not on_torch.suits(rows, torch.device("cpu"))
    monkeypatch.setattr(backend.BACKEND, "device", "meta")  # no number could be computed there
    groups = np.array([0, 30])
    found = together(distances.distance_blocks(rows, groups, groups, n_nearest=3), 60, 2, 3)
    usual = together(float32.blocks(rows, groups, groups, n_nearest=3), 60, 2, 3)
    np.testing.assert_array_equal(found[0], usual[0])


@pytest.mark.gpu
@needs_gpu
def test_a_gpu_that_others_fill_gets_smaller_tiles():
    """Out of memory halves a block until it fits."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, 20)).astype(np.float32)
    groups = np.array([0, 9_000])
    free = on_torch.Pass(rows, groups, N_NEAREST, torch.device("cuda"))
    torch.cuda.set_per_process_memory_fraction(2**28 / torch.cuda.mem_get_info()[1])
    torch.cuda.empty_cache()
    try:
        given = on_torch.blocks(rows, groups, groups, n_nearest=N_NEAREST, device=torch.device("cuda"))
        sizes = [block.stop - block.start for block in given]
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert max(sizes) < free.height
    assert sum(sizes) == 20_000

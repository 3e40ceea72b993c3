"""Batches, threads and memory: rows come back to their cells, whatever the batches were."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zsgate.data.dataset import Dataset
from zsgate.errors import UsageProblem
from zsgate.models.pretrained.adapter import Pretrained
from zsgate.models.transformer import attention
from zsgate.models.transformer.attention import Runs, attend
from zsgate.models.transformer.encoder import Linear
from zsgate.models.transformer.runner import Batch, Runner, chosen_device, chosen_dtype, one_thread_each
from zsgate.models.transformer.softmax import softmax_in_place
from zsgate.models.transformer.tokens import Tokens, batches, masked_genes


def tokens_of(lengths: list[int]) -> Tokens:
    """Return cells of these lengths, each token its own number."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.arange(offsets[-1], dtype=np.int32)
    return Tokens(offsets, ids, ids)


LENGTHS = st.lists(st.integers(1, 50), min_size=1, max_size=40)


@settings(deadline=None)
@given(LENGTHS, st.integers(0, 200))
def test_batches_hold_every_cell_once_within_the_budget(lengths: list[int], budget: int) -> None:
    """Every cell is in one batch, batches respect the budget unless they are one cell, long cells come first."""
    sizes = np.array(lengths)
    found = list(batches(sizes, budget))
    assert sorted(np.concatenate(found).tolist()) == list(range(len(lengths)))
    assert all(len(cells) == 1 or sizes[cells].sum() <= budget for cells in found)
    assert (np.diff(sizes[np.concatenate(found)]) <= 0).all()


@settings(deadline=None)
@given(LENGTHS, st.data())
def test_take_gathers_runs(lengths: list[int], data: st.DataObject) -> None:
    """Taking cells gives their runs in that order, equal to slicing each."""
    tokens = tokens_of(lengths)
    cells = np.array(data.draw(st.lists(st.integers(0, len(lengths) - 1), min_size=1, max_size=10)))
    taken = tokens.take(cells)
    expected = [tokens.ids[tokens.offsets[cell] : tokens.offsets[cell + 1]] for cell in cells]
    np.testing.assert_array_equal(taken.ids, np.concatenate(expected))
    np.testing.assert_array_equal(taken.lengths, [len(run) for run in expected])


class Small(Runner):
    """A runner whose device has room for ``room`` tokens; it raises what torch raises on a GPU."""

    def __init__(self, budget: int, room: int) -> None:
        super().__init__(torch.device("meta"), budget)
        self.room = room
        self.tried: list[int] = []

    def _run(self, tokens: Tokens, cells: np.ndarray, forward: object) -> tuple[np.ndarray, ...]:
        self.tried.append(int(tokens.lengths[cells].sum()))
        if self.tried[-1] > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
        return (tokens.offsets[cells],)


@settings(deadline=None)
@given(LENGTHS, st.integers(50, 400))
def test_running_out_of_memory_halves_the_budget_and_goes_on(lengths: list[int], room: int) -> None:
    """With too large a budget every cell is still done once, and the budget ends up within the room."""
    runner, tokens = Small(1000, room), tokens_of(lengths)
    found = list(runner(tokens, lambda batch: ()))
    cells = np.concatenate([cells for cells, _ in found])
    assert sorted(cells.tolist()) == list(range(len(lengths)))
    np.testing.assert_array_equal(np.concatenate([out[0] for _, out in found]), tokens.offsets[cells])
    assert max(runner.tried) <= room or runner.budget < 1000


@pytest.mark.parametrize("name", ["scgpt_human", "geneformer_v1_10m"])
def test_a_network_out_of_memory_gives_the_rows_it_gives_with_room(
    name: str,
    tiny_scgpt: Callable[..., Pretrained],
    tiny_geneformer: Callable[..., Pretrained],
    few_cells: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A forward pass that raises torch's own error on more than 700 tokens: the budget is halved, no row is lost."""
    model = tiny_scgpt() if name.startswith("scgpt") else tiny_geneformer(name)
    wanted, tried = model.embed(few_cells), []
    forward, runner = type(model)._cells, Runner(torch.device("cpu"), 5000)

    def cramped(self: Pretrained, batch: Batch) -> tuple[torch.Tensor]:
        tried.append(len(batch.ids))
        found = forward(self, batch)
        if len(batch.ids) > 700:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
        return found

    monkeypatch.setattr(type(model), "_cells", cramped)
    monkeypatch.setattr(type(model), "_runner", lambda self: runner)
    np.testing.assert_allclose(model.embed(few_cells), wanted, atol=1e-6)
    assert max(tried) > 700
    assert runner.budget <= 700


def test_the_failed_batch_is_gone_before_room_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the cache is emptied, nothing holds the tensors of the batch that did not fit."""
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: alive.append(held[-1]() is not None))

    def forward(batch: Batch) -> tuple[torch.Tensor]:
        activations = batch.ids.float()
        held.append(weakref.ref(activations))
        if len(batch.ids) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
        return (activations[:1],)

    assert len(list(Runner(torch.device("cpu"), 40)(tokens_of([10] * 4), forward))) == 4
    assert alive
    assert not any(alive)


def test_one_cell_that_does_not_fit_is_said() -> None:
    """If a single cell is too large for the device, the message says its size."""
    with pytest.raises(UsageProblem, match="no room for one cell of 30 tokens"):
        list(Small(100, 20)(tokens_of([30]), lambda batch: ()))


def test_threads_return_rows_to_their_cells() -> None:
    """On the CPU the outputs of cells run on several threads belong to their cells."""
    tokens = tokens_of(list(range(1, 60)))

    def sums(batch: Batch) -> list[torch.Tensor]:
        return [batch.ids.sum()[None]]

    for cells, (total,) in Runner(torch.device("cpu"))(tokens, sums):
        assert total[0] == tokens.take(cells).ids.sum()


def test_threads_are_given_back() -> None:
    """The number of threads torch uses is what it was, also after an error."""
    before = torch.get_num_threads()
    with one_thread_each() as wide:
        assert (wide, torch.get_num_threads()) == (before, 1)
    with contextlib.suppress(KeyError), one_thread_each():
        raise KeyError
    assert torch.get_num_threads() == before


@settings(deadline=None)
@given(LENGTHS, st.floats(0.01, 0.99), st.integers(0, 5))
def test_the_stated_share_of_genes_is_masked(lengths: list[int], share: float, seed: int) -> None:
    """Each cell has round(share x genes) genes masked, one at least, and special tokens never."""
    tokens = tokens_of([length + 1 for length in lengths])
    columns = tokens.columns.copy()
    columns[tokens.offsets[:-1]] = -1
    tokens = Tokens(tokens.offsets, tokens.ids, columns)
    masked = masked_genes(tokens, share, seed)
    assert not masked[columns < 0].any()
    expected = np.maximum(1, np.rint(share * np.array(lengths)))
    np.testing.assert_array_equal(np.add.reduceat(masked, tokens.offsets[:-1], dtype=int), expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_missing_gpu_is_said() -> None:
    """Asking for CUDA where torch sees none is a usage problem, not a fall back to the CPU."""
    with pytest.raises(UsageProblem, match="sees no CUDA device"):
        chosen_device("cuda")


def test_an_unknown_dtype_is_said() -> None:
    """A number format nobody knows is refused with those that are."""
    with pytest.raises(UsageProblem, match="float32, bfloat16, float16"):
        chosen_dtype("float8", torch.device("cpu"))


@pytest.mark.parametrize("fault", ["raise ImportError('undefined symbol')", "", "raise OSError('no such library')"])
def test_a_flash_attention_that_does_not_load_is_left_out(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Built for another torch, or another flash-attn altogether: torch's own kernel is taken."""
    (tmp_path / "flash_attn.py").write_text(fault)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "flash_attn", raising=False)
    kernel = attention._packed_kernel.__wrapped__()
    assert kernel is not None
    assert kernel.__name__ == "varlen"


ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@ON_CUDA
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_packed_kernel_is_attention(dtype: torch.dtype) -> None:
    """On CUDA the kernel for packed runs gives what float64 gives run by run, for all tokens and the first of each."""
    lengths, device = (1, 7, 130, 1200), torch.device("cuda")
    exact = torch.randn(sum(lengths), 3, 8, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    there, here = Runs(lengths, device), Runs(lengths, torch.device("cpu"))
    assert attention._packed_kernel() is not None
    for queries, runs in ((there, here), (there.firsts, here.firsts)):
        parts = (exact[: sum(runs.lengths), 0], exact[:, 1], exact[:, 2])
        packed = attend(*(part.to(device, dtype) for part in parts), queries, there)
        torch.testing.assert_close(packed.cpu().double(), attend(*parts, runs, here), atol=0.02, rtol=0.02)


@ON_CUDA
def test_a_full_gpu_halves_the_budget(tiny_scgpt: Callable[..., Pretrained], few_cells: Dataset) -> None:
    """Where the card really has no more room, the rows come all the same."""
    from dataclasses import replace

    device = torch.device("cuda")
    model = replace(tiny_scgpt(), device=device, dtype=torch.bfloat16)
    wanted, run = model.embed(few_cells), Runner(device, 1 << 24)
    short = model._tokeniser(few_cells)(0, few_cells.n_cells)
    many = short.take(np.tile(np.arange(few_cells.n_cells), 2000))
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (1 << 29)) / total)
    try:
        found = np.concatenate([np.c_[cells, rows] for cells, (rows,) in run(many, model._cells)])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    rows = found[np.argsort(found[:, 0]), 1:]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert run.budget < 1 << 24
    assert (rows * np.tile(wanted, (2000, 1))).sum(1).min() > 0.999


@ON_CUDA
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cuda_gives_the_rows_of_the_cpu(dtype: str, tiny_scgpt, tiny_geneformer, few_cells) -> None:  # type: ignore[no-untyped-def]
    """Packed attention on CUDA agrees with the CPU: 1e-4 in fp32, cosine above 0.999 in bf16."""
    from dataclasses import replace

    for model in (tiny_scgpt(), tiny_geneformer(), tiny_geneformer("geneformer_v2_104m")):
        device = torch.device("cuda")
        there = replace(model, device=device, dtype=chosen_dtype(dtype, device)).embed(few_cells)
        here = model.embed(few_cells)
        if dtype == "float32":
            np.testing.assert_allclose(there, here, atol=1e-4)
        cosine = (there * here).sum(1) / np.linalg.norm(there, axis=1) / np.linalg.norm(here, axis=1)
        assert cosine.min() > 0.999


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a build without CUDA")
def test_bfloat16_on_the_cpu_stays_close(tiny_scgpt, few_cells) -> None:  # type: ignore[no-untyped-def]
    """bf16 rows have a cosine above 0.999 to fp32's."""
    from dataclasses import replace

    model = tiny_scgpt()
    half = replace(model, dtype=torch.bfloat16).embed(few_cells)
    assert (half * model.embed(few_cells)).sum(1).min() > 0.999


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 300), st.floats(0.01, 3.0), st.integers(0, 1000))
def test_softmax_is_rounded_once(n_rows: int, n: int, factor: float, seed: int) -> None:
    """The compiled softmax of bf16 rows is the float64 one, rounded: half a unit in the last place, and 1e-5."""
    scores = torch.randn(n_rows, n, generator=torch.Generator().manual_seed(seed)).mul_(20).bfloat16()
    wanted = (scores.double() * factor).softmax(-1)
    softmax_in_place(scores, factor)
    torch.testing.assert_close(scores.double(), wanted, rtol=2**-8 + 1e-5, atol=1e-35)


def test_softmax_of_great_scores() -> None:
    """What overflows an exponential does not matter: only differences count, and equal scores share."""
    for top in (-1e4, 1e4, 3e37):
        scores = torch.tensor([[top, top, -3e37, top]], dtype=torch.bfloat16)
        softmax_in_place(scores, 0.125)
        torch.testing.assert_close(scores.float(), torch.tensor([[1, 1, 0, 1]]) / 3, rtol=4e-3, atol=1e-30)


def test_a_token_that_is_not_a_number_is_not_hidden() -> None:
    """NaN in one token's key and value reaches every row of its run in bf16 as in float32."""
    query, key, value = torch.randn(3, 40, 2, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    key[7], value[7] = torch.nan, torch.nan
    runs = Runs((40,), query.device)
    assert attend(query, key, value, runs, runs).isnan().all()


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-5), (torch.bfloat16, 0.02)])
def test_a_packed_product_is_the_product(dtype: torch.dtype, within: float) -> None:
    """Packing a weight for the CPU changes no more than the order of a sum, for any number of tokens."""
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(96, 64, generator=generator) / 8, torch.randn(96, generator=generator)
    plain = Linear(weight.to(dtype), bias.to(dtype))
    for n_tokens in (1, 7, 300):
        x = torch.randn(n_tokens, 64, generator=generator).to(dtype)
        wanted = torch.nn.functional.linear(x.double(), plain.weight.double(), plain.bias.double())
        torch.testing.assert_close(plain.packed()(x).double(), wanted, atol=within, rtol=within)


@pytest.mark.parametrize("block", [1, 700, 2**20])
def test_attention_in_blocks_is_attention(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """bf16 in blocks, whatever their size, is as close to float64 as torch's own bf16 up to rounded scores."""
    monkeypatch.setattr(attention, "BLOCK", block)
    lengths = (1, 7, 130, 400)
    device = torch.device("cpu")
    exact = torch.randn(sum(lengths), 3, 4, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for keys in (Runs(lengths, device), Runs(lengths, device).firsts):
        n_queries = sum(keys.lengths)
        query, key, value = exact[:n_queries, 0], exact[:, 1], exact[:, 2]
        wanted = attend(query, key, value, keys, Runs(lengths, device))
        rough = attend(*(part.bfloat16() for part in (query, key, value)), keys, Runs(lengths, device))
        assert rough.dtype == torch.bfloat16
        torch.testing.assert_close(rough.double(), wanted, atol=0.03, rtol=0.02)

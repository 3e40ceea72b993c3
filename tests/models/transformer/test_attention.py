"""Attention within runs, by every way it is computed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from zsgate.models.transformer import attention
from zsgate.models.transformer.attention import Runs, attend, means


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


ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")


@pytest.mark.gpu
@ON_CUDA
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("lengths", [(1, 7, 130, 1200), (1200, 1200)], ids=["packed", "alike"])
def test_kernels_of_cuda_are_attention(lengths: tuple[int, ...], dtype: torch.dtype) -> None:
    """On CUDA the kernels give what float64 gives run by run, for all tokens and the first of each."""
    device = torch.device("cuda")
    exact = torch.randn(sum(lengths), 3, 8, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    there, here = Runs(lengths, device), Runs(lengths, torch.device("cpu"))
    assert attention._packed_kernel() is not None
    for queries, runs in ((there, here), (there.firsts, here.firsts)):
        parts = (exact[: sum(runs.lengths), 0], exact[:, 1], exact[:, 2])
        packed = attend(*(part.to(device, dtype) for part in parts), queries, there)
        torch.testing.assert_close(packed.cpu().double(), attend(*parts, runs, here), atol=0.02, rtol=0.02)


def test_a_token_that_is_not_a_number_is_not_hidden() -> None:
    """NaN in one token's key and value reaches every row of its run in bf16 as in float32."""
    query, key, value = torch.randn(3, 40, 2, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    key[7], value[7] = torch.nan, torch.nan
    runs = Runs((40,), query.device)
    assert attend(query, key, value, runs, runs).isnan().all()


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


@pytest.mark.parametrize(("dtype", "within"), [(torch.float32, 1e-6), (torch.bfloat16, 0.0)])
def test_runs_of_one_length_give_what_each_gives_alone(dtype: torch.dtype, within: float) -> None:
    """Runs as long as each other are attended to in one product; means over them are those of each, ends left out."""
    query, key, value = torch.randn(3, 60, 4, 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    runs, alone = Runs((20,) * 3, query.device), Runs((20,), query.device)
    together = attend(query, key, value, runs, runs)
    x = torch.randn(60, 8, generator=torch.Generator().manual_seed(1))
    for start in (0, 20, 40):
        part = slice(start, start + 20)
        wanted = attend(query[part], key[part], value[part], alone, alone)
        torch.testing.assert_close(together[part], wanted, atol=within, rtol=within)
        for skip in (0, 1):
            inner = x[start + skip : start + 20 - skip].mean(0)
            torch.testing.assert_close(means(x, runs, skip)[start // 20], inner, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("skip", [0, 1, 2])
def test_means_of_runs_of_several_lengths(skip: int) -> None:
    """Each run's mean is over its own tokens, those at both ends left out."""
    x, runs = torch.randn(20, 8, generator=torch.Generator().manual_seed(1)), Runs((5, 9, 6), torch.device("cpu"))
    for mean, part in zip(means(x, runs, skip), torch.split(x, [5, 9, 6]), strict=True):
        torch.testing.assert_close(mean, part[skip : len(part) - skip].mean(0), atol=1e-6, rtol=1e-5)
    assert runs.places.tolist() == [*range(5), *range(9), *range(6)]

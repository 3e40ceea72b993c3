"""The networks on a GPU give what they give on the CPU; their weights are drawn, so that nothing else is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import drawn_state

from zsgate.models.families.cellama.network import CELLamaNetwork
from zsgate.models.families.geneformer.network import GeneformerNetwork, GeneformerShape
from zsgate.models.families.scgpt.network import ScGPTNetwork, ScGPTShape
from zsgate.models.transformer import encoder
from zsgate.models.transformer.attention import Runs
from zsgate.models.transformer.bert import BertShape, bert_shapes, draw_state
from zsgate.models.transformer.encoder import Norm, move

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
GOLDEN = Path(__file__).parents[2] / "golden"
CUDA, CPU = torch.device("cuda"), torch.device("cpu")
SCGPT = ScGPTShape(embsize=512, nheads=8, d_hid=512, nlayers=12, max_seq_len=1200)
V1 = GeneformerShape(256, 4, 512, 6, 2048, 25_426, 2, 1e-12)
N_TOKENS, PAD = 60_697, 60_694


def agree(ours: torch.Tensor, expected: np.ndarray, dtype: torch.dtype) -> None:
    """Within 1e-4 in float32; in bfloat16 every row's cosine is above 0.999."""
    rows = ours.float().cpu().numpy()
    if dtype == torch.float32:
        np.testing.assert_allclose(rows, expected, atol=1e-4)
    norms = np.linalg.norm(rows, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((rows * expected).sum(axis=1) / norms).min() > 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_scgpt_gives_upstreams_outputs(dtype: torch.dtype) -> None:
    """Two cells of up to 1,200 tokens in one packed batch, at the official shape."""
    golden = np.load(GOLDEN / "scgpt_outputs.npz")
    network = ScGPTNetwork.of(drawn_state(SCGPT.tensors(N_TOKENS), 3), SCGPT).to(CUDA, dtype)
    lengths = (golden["ids"] != PAD).sum(axis=1)
    ids, bins = (
        torch.from_numpy(np.concatenate([row[:n] for row, n in zip(golden[part], lengths, strict=True)])).to(CUDA)
        for part in ("ids", "bins")
    )
    with torch.inference_mode():
        agree(network.cells(ids, bins, Runs(tuple(lengths.tolist()), CUDA)), golden["cell_emb"], dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_geneformer_gives_transformers_outputs(dtype: torch.dtype) -> None:
    """Two cells of up to 2,048 tokens in one packed batch, at the shape of V1."""
    golden = np.load(GOLDEN / "geneformer_outputs.npz")
    network = GeneformerNetwork.of(drawn_state(V1.tensors(), 5), V1).to(CUDA, dtype)
    lengths = tuple((golden["ids"] > 0).sum(axis=1).tolist())
    ids = torch.from_numpy(golden["ids"][golden["ids"] > 0]).to(CUDA)
    with torch.inference_mode():
        agree(network.means(ids, Runs(lengths, CUDA), 0), golden["means"], dtype)
        agree(network.first_tokens(ids, Runs(lengths, CUDA)), golden["first"], dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_untrained_cellama_gives_the_rows_of_the_cpu(dtype: torch.dtype) -> None:
    """Its twins run where it runs: 16 cells of as many tokens, at the shape of MiniLM."""
    shape = BertShape(384, 12, 1536, 6, 512, 30_522, 2, 1e-12)
    network = CELLamaNetwork.of(draw_state(bert_shapes(shape), 0), shape)
    ids = torch.from_numpy(np.random.default_rng(0).integers(30_522, size=16 * 200))
    with torch.inference_mode():
        expected = network.to(CPU, torch.float32).means(ids, Runs((200,) * 16, CPU)).numpy()
        agree(network.to(CUDA, dtype).means(ids.to(CUDA), Runs((200,) * 16, CUDA)), expected, dtype)


@pytest.mark.parametrize(("x", "norm"), [("bfloat16", "bfloat16"), ("float32", "float32"), ("float32", "bfloat16")])
@pytest.mark.parametrize("shape", [(1, 384), (1001, 256), (70_000, 512)])
def test_a_sum_is_normalised_in_one_kernel_as_in_two(x: str, norm: str, shape: tuple[int, int]) -> None:
    """As float64 does it, within the rounding of the result's format; Triton builds the kernel."""
    generator = torch.Generator().manual_seed(0)
    product, other = torch.randn((2, *shape), generator=generator)
    weight, bias = torch.rand((2, shape[1]), generator=generator)
    product, other = product.bfloat16(), other.to(getattr(torch, x))
    layer = Norm(weight.to(getattr(torch, norm)), bias.to(getattr(torch, norm)), 1e-5)
    assert encoder._added_norm() is not None
    found = move(layer, CUDA, layer.weight.dtype).of_sum(product.to(CUDA), other.to(CUDA))
    expected = move(layer, CPU, torch.float64)(product.double() + other.double())
    assert found.dtype == layer.weight.dtype
    within = 1e-5 if norm == "float32" else 0.02
    torch.testing.assert_close(found.cpu().double(), expected, atol=within, rtol=within)

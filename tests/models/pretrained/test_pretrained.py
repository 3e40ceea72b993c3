"""What all published checkpoints share: memory, devices, number formats, and what their fingerprints depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from zsgate.data.dataset import Dataset
from zsgate.models.device import chosen_dtype
from zsgate.models.pretrained.adapter import Pretrained
from zsgate.models.transformer.runner import Runner
from zsgate.system.sources import files, packages

ON_CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
HAS_CELLS = pytest.mark.skipif(find_spec("hormone2cell") is None, reason="needs the cells of hormone2cell")


class Cramped:
    """A network on a device with room for 700 tokens; it raises what torch raises on a GPU, after it has computed."""

    def __init__(self, network: object) -> None:
        self.network = network
        self.tried: list[int] = []

    def __getattr__(self, name: str) -> Callable[..., torch.Tensor]:
        if name.startswith("__"):  # what Python asks of any object
            raise AttributeError(name)

        def forward(ids: torch.Tensor, *given: object, **options: object) -> torch.Tensor:
            self.tried.append(len(ids))
            found: torch.Tensor = getattr(self.network, name)(ids, *given, **options)
            if len(ids) > 700:
                raise torch.OutOfMemoryError("CUDA out of memory")  # noqa: EM101
            return found

        return forward


@pytest.mark.parametrize("name", ["scgpt_human", "geneformer_v1_10m"])
def test_a_network_out_of_memory_gives_the_rows_it_gives_with_room(
    name: str, tiny_scgpt: Callable[..., Pretrained], tiny_geneformer: Callable[..., Pretrained], few_cells: Dataset
) -> None:
    """A forward pass that raises torch's own error on more than 700 tokens: the budget is halved, no row is lost."""
    model = tiny_scgpt() if name.startswith("scgpt") else tiny_geneformer(name)
    network = Cramped(model.network)
    given = {each.name: getattr(model, each.name) for each in fields(model)} | {"budget": 5000}
    cramped = type("OnASmallGPU", (type(model),), {"network": network})(**given)
    np.testing.assert_allclose(cramped.embed(few_cells), model.embed(few_cells), atol=1e-6)
    assert 0 < sum(tokens > 700 for tokens in network.tried) < 5
    assert 350 < network.tried[-1] <= 700


def test_only_the_papers_preset_depends_on_scanpy(tiny_scgpt: Callable[..., Pretrained]) -> None:
    """What the official preset embeds is kept whichever scanpy is installed; the paper's genes are scanpy's choice."""
    official, paper = tiny_scgpt(), tiny_scgpt(preset="paper")
    assert not {"scanpy", "anndata"} & packages(*official.modules).keys()
    assert "scanpy" in packages(*paper.modules)
    assert packages(*official.modules).items() < packages(*paper.modules).items()
    assert official.fingerprint != paper.fingerprint


def test_what_reads_the_files_counts_in_the_fingerprint(
    tiny_scgpt: Callable[..., Pretrained], tiny_geneformer: Callable[..., Pretrained]
) -> None:
    """The code that loads a checkpoint shapes its tensors, so it is among the sources, in both families."""
    for model in (tiny_scgpt(), tiny_geneformer()):
        found = {"/".join(path.parts[-2:]) for path in files(*model.modules)}
        assert {f"{model.checkpoint.family}/load.py", f"{model.checkpoint.family}/network.py"} <= found


@pytest.mark.gpu
@ON_CUDA
@HAS_CELLS
def test_a_full_gpu_halves_the_budget(tiny_scgpt: Callable[..., Pretrained], few_cells: Dataset) -> None:
    """Where the card really has no more room, the rows come all the same."""
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


@pytest.mark.gpu
@ON_CUDA
@HAS_CELLS
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_cuda_gives_the_rows_of_the_cpu(dtype: str, tiny_scgpt, tiny_geneformer, few_cells) -> None:  # type: ignore[no-untyped-def]
    """Packed attention on CUDA agrees with the CPU: 1e-4 in fp32, cosine above 0.999 in bf16."""
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
    model = tiny_scgpt()
    half = replace(model, dtype=torch.bfloat16).embed(few_cells)
    assert (half * model.embed(few_cells)).sum(1).min() > 0.999

"""The gate with ``--gpu``, end to end: a model in its own process on the card, its twins, scVI and the pass."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from benchmarks.checkpoints import make_geneformer, make_scgpt

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
MAKE = {"scgpt_human": make_scgpt, "geneformer_v1_10m": make_geneformer}


@pytest.mark.parametrize(
    ("name", "chosen"), [("scgpt_human", "hvg or pca or random_init"), ("geneformer_v1_10m", "scvi and nmi")]
)
def test_an_untrained_checkpoint_loses_on_the_quick_tier(name, chosen, gate, verdict, tmp_path, monkeypatch):
    """Exit 1, every test judged, and the card named; a network that learnt nothing has no better clusters than HVG."""
    if importlib.util.find_spec("hormone2cell") is None:  # importing it would need scanpy
        pytest.skip("needs hormone2cell")
    if "scvi" in chosen:
        pytest.importorskip("scvi")
    monkeypatch.delenv("ZSGATE_ISOLATION")
    weights = MAKE[name](tmp_path / "weights", None)
    result = gate(name, f"--weights={weights}", "--gpu", "-k", chosen, columns=("--datasets=pancreas_quick",))

    assert result.ret == 1, str(result.stdout)[-3000:]
    record = verdict()
    assert record["gate"] == "lost"
    assert torch.cuda.get_device_name() in record["provenance"]["device"]
    assert {v["outcome"] for v in record["verdicts"] if v["metric"] == "nmi" and v["baseline"] != "random_init"} == {
        "loses"
    }


def test_each_worker_has_a_card_while_there_are_enough(gate, verdict, tmp_path, monkeypatch):
    """Two workers come to what one process comes to, and the candidate embeds a dataset once."""
    if importlib.util.find_spec("hormone2cell") is None:
        pytest.skip("needs hormone2cell")
    pytest.importorskip("xdist")
    monkeypatch.delenv("ZSGATE_ISOLATION")
    weights = make_scgpt(tmp_path / "weights", None)
    asked = (f"--weights={weights}", "--gpu", "-k", "nmi and (hvg or pca)", "-n", "2")
    result = gate("scgpt_human", *asked, columns=("--datasets=pancreas_quick",))

    assert result.ret == 1, str(result.stdout)[-3000:]
    said = "workers share" in str(result.stdout)
    assert said == (torch.cuda.device_count() < 2)
    embedded = [each for each in verdict()["timings"] if each["what"] == "embed scgpt_human"]
    assert sum(not each["cached"] for each in embedded) == 1

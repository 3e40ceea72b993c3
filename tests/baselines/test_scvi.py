"""scVI trains, in processes of its own, the same way for the same seed; one training as scvi-tools alone does it."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zsgate.baselines.scvi import baseline as scvi
from zsgate.baselines.scvi import training as scvi_training
from zsgate.baselines.scvi.training import Job, train
from zsgate.data import read as reading
from zsgate.data.mapped import place_of
from zsgate.data.preprocess import highly_variable
from zsgate.data.read import Columns, read_h5ad
from zsgate.errors import UsageProblem
from zsgate.metrics import avg_bio
from zsgate.metrics.robustness import perturb


def test_without_the_package_it_says_what_to_install(few_cells, monkeypatch):
    """A missing scvi-tools is one sentence, not a traceback from a worker."""
    monkeypatch.setitem(sys.modules, "scvi", None)
    with pytest.raises(UsageProblem, match=r"pip install 'zsgate\[scvi\]'"):
        scvi.embed(few_cells, seeds=2, schedule="levels_off")


@pytest.mark.parametrize(
    ("n_cells", "epochs"), [(500, 400), (20_000, 400), (20_020, 400), (40_000, 200), (483_152, 17), (10**8, 1)]
)
def test_the_paper_trains_shorter_on_more_cells(n_cells, epochs):
    """400 epochs up to 20,000 cells, then in inverse proportion: scvi-tools' own rule."""
    assert scvi_training.schedule("paper", n_cells) == {"max_epochs": epochs}


@pytest.mark.parametrize(
    ("n_cells", "earliest", "most", "check"),
    [(20, 100, 400, 5), (1500, 100, 400, 5), (3274, 100, 250, 5), (5067, 100, 167, 5), (20_000, 28, 43, 3)],
)
def test_the_default_counts_steps_as_well_as_epochs(n_cells, earliest, most, check):
    """It may stop from 100 epochs or 4,000 steps on, must at 6,000, and looks twice in 10 epochs or 1,000 steps."""
    found = scvi_training.schedule("levels_off", n_cells)
    assert (found["plan_kwargs"]["n_epochs_kl_warmup"], found["max_epochs"]) == (earliest, most)
    assert (found["check_val_every_n_epoch"], found["early_stopping_patience"]) == (check, 2)


@given(st.integers(1, 10**8))
def test_no_schedule_is_empty(n_cells):
    """At least one epoch, a look at the ELBO no later than at the end, and never longer than the paper's."""
    found = scvi_training.schedule("levels_off", n_cells)
    assert 1 <= found["max_epochs"] <= scvi_training.schedule("paper", n_cells)["max_epochs"]
    assert found["check_val_every_n_epoch"] >= 1
    assert found["early_stopping_warmup_epochs"] >= 0
    assert found["plan_kwargs"]["n_epochs_kl_warmup"] >= 1


@pytest.mark.slow
def test_epochs_are_scvi_tools_own():
    """The number of epochs equals get_max_epochs_heuristic for up to five million cells."""
    from scvi.model._utils import get_max_epochs_heuristic

    for n_cells in np.unique(np.geomspace(10, 5_000_000, 200).astype(int)).tolist():
        assert scvi_training.schedule("paper", n_cells)["max_epochs"] == get_max_epochs_heuristic(n_cells)


@pytest.mark.slow
def test_seeds_differ_and_come_again(few_cells):
    """Two seeds of 240 cells: finite, different, at least 100 epochs, and bit for bit the same the next time."""
    draws, notes = scvi.embed(few_cells, seeds=2, schedule="levels_off")
    assert [(draw.shape, draw.dtype) for draw in draws] == [((240, 30), np.float32)] * 2
    assert np.isfinite(draws).all()
    assert np.abs(draws[0] - draws[1]).max() > 0.1
    assert notes["seeds"] == [0, 1]
    assert notes["genes"] == 2000
    assert all(scvi_training.MIN_EPOCHS <= epochs <= scvi_training.MAX_EPOCHS for epochs in notes["epochs"])
    again, _ = scvi.embed(replace(few_cells, name="again"), seeds=2, schedule="levels_off")
    np.testing.assert_array_equal(draws, again)


@pytest.mark.slow
def test_without_processes_it_trains_here_to_the_same_bits(few_cells, monkeypatch):
    """No semaphores (/dev/shm): in this process, whose threads, random numbers and scvi-tools are as before."""
    import scvi as library

    draws, _ = scvi.embed(few_cells, seeds=2, schedule="levels_off")
    before = torch.get_num_threads(), library.distributions.NegativeBinomial.log_prob
    random = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002

    def refused(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr("multiprocessing.synchronize.SemLock.__init__", refused)
    here, _ = scvi.embed(few_cells, seeds=2, schedule="levels_off")
    np.testing.assert_array_equal(here, draws)
    assert before == (torch.get_num_threads(), library.distributions.NegativeBinomial.log_prob)
    assert torch.equal(random[0], torch.get_rng_state())
    assert random[1] == np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.slow
def test_batches_are_optional(few_cells):
    """Without batches it trains without a covariate; labels play no part."""
    bare = replace(few_cells, batches=None, donors=None, cell_types=few_cells.cell_types[::-1])
    (draw, _), notes = scvi.embed(bare, seeds=2, schedule="levels_off")
    assert np.isfinite(draw).all()
    assert notes["stopped"] == "when the validation ELBO levelled off"


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["levels_off", "paper"])
def test_counts_on_disk_train_to_the_same_bits(few_cells, tmp_path, monkeypatch, schedule):
    """A worker that maps the counts, and puts dense ones into a file, gives what one does that was sent them."""
    import pandas as pd
    import scvi as library

    monkeypatch.setattr(reading, "IN_MEMORY", 1000)
    adata = few_cells.to_anndata()
    adata.obs["type"] = pd.Categorical(few_cells.cell_types.astype(object))
    adata.write_h5ad(tmp_path / "cells.h5ad")
    cells = read_h5ad(tmp_path / "cells.h5ad", "cells", Columns(label="type", counts="X"), cache=tmp_path / "cache")
    negative_binomial = library.distributions.NegativeBinomial
    monkeypatch.setattr(negative_binomial, "log_prob", negative_binomial.log_prob)  # put back what training replaces
    monkeypatch.setattr(scvi_training, "schedule", lambda *_: {"max_epochs": 2})
    genes = np.arange(0, len(cells.symbols), 9) if schedule == "levels_off" else None
    place, threads = place_of(cells.counts), torch.get_num_threads()
    assert place is not None
    held, *_ = train(Job(cells.counts.copy(), genes, None, 0, schedule))
    monkeypatch.setattr("zsgate.system.arrays.IN_MEMORY", 1000)
    mapped, *_ = train(Job(place, genes, None, 0, schedule))
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(mapped, held)


@pytest.mark.parametrize("kind", ["real", "all zero", "no zero"])
def test_likelihood_and_gradients_are_scvi_tools_own(pancreas, kind):
    """On 128 real cells x 2,000 genes: values and gradients of both parameters within 1e-6 of the largest one."""
    from scvi.distributions import NegativeBinomial

    rng = np.random.default_rng(0)
    counts = pancreas.counts[np.sort(rng.permutation(pancreas.n_cells)[:128])][:, highly_variable(pancreas)].toarray()
    counts = torch.tensor({"real": counts, "all zero": 0 * counts, "no zero": counts + 1}[kind], dtype=torch.float32)
    mean = torch.tensor(rng.exponential(3, counts.shape), dtype=torch.float32)
    dispersion = torch.tensor(rng.normal(size=counts.shape[1]), dtype=torch.float32)

    def found(log_prob):
        mu, log_theta = mean.clone().requires_grad_(), dispersion.clone().requires_grad_()
        values = log_prob(NegativeBinomial(mu=mu, theta=torch.exp(log_theta), validate_args=False), counts)
        (-values.sum(-1)).mean().backward()
        return values.detach(), mu.grad, log_theta.grad

    for ours, theirs in zip(found(scvi_training.log_prob), found(NegativeBinomial.log_prob), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("schedule", ["levels_off", "paper"])
def test_latents_are_those_of_scvi_tools_alone(few_cells, monkeypatch, schedule):
    """A training that is written with scvi-tools and nothing of ours: the same epochs and latents, to the last bit.

    Of 240 cells: the default one to its end, which the validation ELBO decides, and 5 epochs on all genes.
    """
    import anndata
    import pandas as pd
    import scvi as library

    negative_binomial = library.distributions.NegativeBinomial
    own, threads = negative_binomial.log_prob, torch.get_num_threads()
    monkeypatch.setattr(negative_binomial, "log_prob", own)  # put back what training replaces
    if schedule == "paper":
        monkeypatch.setattr(scvi_training, "schedule", lambda *_: {"max_epochs": 5})
    genes = highly_variable(few_cells) if schedule == "levels_off" else None

    torch.set_num_threads(1)
    library.settings.seed = 3
    adata = anndata.AnnData(few_cells.counts if genes is None else few_cells.counts[:, genes].toarray())
    adata.obs["batch"] = pd.Categorical(few_cells.batches.astype(object))
    library.model.SCVI.setup_anndata(adata, batch_key="batch")
    model = library.model.SCVI(adata, n_layers=2, n_latent=30, gene_likelihood="nb")
    model.train(**scvi_training.schedule(schedule, few_cells.n_cells), accelerator="cpu", enable_progress_bar=False)
    theirs = model.get_latent_representation()
    assert negative_binomial.log_prob is own

    ours, epochs, _ = train(Job(few_cells.counts, genes, few_cells.batches, 3, schedule))
    torch.set_num_threads(threads)
    assert negative_binomial.log_prob is scvi_training.log_prob
    assert epochs == len(model.history["elbo_train"])
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("with_batches", [True, False])
def test_kept_encoder_is_scvi_tools_own(few_cells, monkeypatch, with_batches):
    """Other counts of the same cells get the latents of ``get_latent_representation`` within 1e-5, without scvi-tools.

    After 5 epochs, so that the statistics of batch normalisation are not those of its start.
    """
    made, batches = [], few_cells.batches if with_batches else None
    monkeypatch.setattr(scvi_training, "schedule", lambda *_: {"max_epochs": 5})
    monkeypatch.setattr(
        scvi_training, "_model", lambda job, make=scvi_training._model: made.append(make(job)) or made[-1]
    )
    genes, poorer = highly_variable(few_cells), perturb.depth(few_cells)
    with scvi._as_it_was():
        trained = train(Job(few_cells.counts, genes, batches, 0, "levels_off"))
        other = made[0].adata.copy()
        other.X = poorer.counts[:, genes].toarray()
        theirs = made[0].get_latent_representation(other)

    kept = [genes, *trained.encoder]
    np.testing.assert_allclose(scvi.project(kept, few_cells)[0], trained.latent, rtol=0, atol=1e-5)
    np.testing.assert_allclose(scvi.project(kept, poorer)[0], theirs, rtol=0, atol=1e-5)
    assert np.abs(theirs - trained.latent).max() > 0.01
    assert [array.shape for array in trained.encoder] == [(2000, 128), (128,), (128, 128), (128,), (128, 30), (30,)]


def test_a_training_on_all_genes_keeps_no_encoder(few_cells, monkeypatch):
    """Of two seeds each has its weights; of the paper's schedule, on tens of thousands of genes, nothing is kept."""
    latent = np.zeros((240, 30), dtype=np.float32)
    trained = [scvi_training.Trained(latent, 1, (np.full(1, seed),) * 6) for seed in range(2)]
    monkeypatch.setattr(scvi, "_train_all", lambda *_: trained)
    kept: list[np.ndarray] = []
    scvi.embed(few_cells, seeds=2, schedule="paper", keep=kept.extend)
    assert kept == []
    scvi.embed(few_cells, seeds=2, schedule="levels_off", keep=kept.extend)
    np.testing.assert_array_equal(kept[0], highly_variable(few_cells))
    assert [array.tolist() for array in kept[1:]] == [[0]] * 6 + [[1]] * 6


@pytest.mark.slow
def test_stopping_early_costs_less_than_two_hundredths(pancreas, monkeypatch):
    """AvgBIO of the quick schedule is within 0.02 of 400 epochs on the same genes, both over 3 seeds."""
    short, notes = scvi.embed(pancreas, seeds=3, schedule="levels_off")
    assert all(100 <= epochs < 250 for epochs in notes["epochs"])
    monkeypatch.setattr(scvi_training, "schedule", lambda *_: {"max_epochs": 400})
    long = [train(job)[:2] for job in _jobs(pancreas)]

    of_short = np.mean([avg_bio(draw, pancreas).value for draw in short])
    of_long = np.mean([avg_bio(latent, pancreas).value for latent, _ in long])
    assert all(epochs == 400 for _, epochs in long)
    assert abs(of_short - of_long) < 0.02, (of_short, of_long)


def _jobs(dataset):
    genes = highly_variable(dataset)
    return [Job(dataset.counts, genes, dataset.batches, seed, "levels_off") for seed in range(3)]

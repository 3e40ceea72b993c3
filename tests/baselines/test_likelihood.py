"""The likelihood scVI is trained with here is scvi-tools' own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zsgate.baselines import likelihood
from zsgate.data.preprocess import highly_variable


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

    for ours, theirs in zip(found(likelihood.log_prob), found(NegativeBinomial.log_prob), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * float(theirs.abs().max()))

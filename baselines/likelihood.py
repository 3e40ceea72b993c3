"""Likelihood: scvi-tools' negative binomial, with gamma functions of the counts that are not zero only.

Most counts are zero, and there ``lgamma(x + theta) - lgamma(theta) - lgamma(x + 1)`` is zero, and so are its
gradients. The gamma functions and their derivatives are over a third of the time of a training on the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from scvi.distributions import NegativeBinomial


def log_prob(self: NegativeBinomial, value: torch.Tensor) -> torch.Tensor:
    """Return the log-likelihood of each count, in place of ``scvi.distributions.NegativeBinomial.log_prob``.

    Parameters
    ----------
    self
        Distribution with ``mu`` (mean) and ``theta`` (inverse dispersion), each of the shape of ``value``.
    value
        Counts, any shape.
    """
    import torch

    mu, theta, eps = self.mu, self.theta, self._eps
    log_sum = torch.log(theta + mu + eps)
    of_zero = theta * (torch.log(theta + eps) - log_sum)
    seen = value.reshape(-1).nonzero().squeeze(1)
    x, m, t, s = (tensor.reshape(-1).index_select(0, seen) for tensor in (value, mu, theta, log_sum))
    of_seen = x * (torch.log(m + eps) - s) + torch.lgamma(x + t) - torch.lgamma(t) - torch.lgamma(x + 1)
    total: torch.Tensor = of_zero.reshape(-1).index_add(0, seen, of_seen).view(value.shape)
    return total

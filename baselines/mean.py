"""Mean: one number for all genes, one for each gene, or one for each gene above the cell's own level.

Kedzierska et al. 2025 write of the mean of a gene; their code predicts the mean over all genes and cells, of the
very cells it is scored on. Both are here, learnt from other donors' cells unless the paper's recipe is asked for.
Neither knows how deep a cell was sequenced, which any model sees from the genes it is shown: hence the additive model
of cells and genes.
All weigh entries as the score does: no other number in a mean's place has a smaller error in the cells it is fitted on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zsgate.metrics.reconstruction.values import ValueTally, Weight

Floats = npt.NDArray[np.float64]
NOTHING = 1e-9  # a smaller weight is rounding: an entry weighs over 1e-5, and a difference of sums errs by 1e-12


def global_mean(tally: ValueTally, weight: Weight, *, in_sample: bool = False) -> list[float]:
    """Return the squared error of the mean of all targets, over everybody and without each unit.

    Parameters
    ----------
    tally
        What remains of the candidate's windows.
    weight
        ``"cells"`` or ``"pooled"``.
    in_sample
        Fit on everybody, as the paper's code does; else a group's mean comes from the other groups.
    """
    fit, scored = (tables["target", weight].sum(axis=2, keepdims=True) for tables in (tally.fit, tally.scored))
    return _columns(tally, weight, fit, scored, in_sample)


def gene_mean(tally: ValueTally, weight: Weight, *, in_sample: bool = False) -> list[float]:
    """Return the squared error of each gene's mean target; as :func:`global_mean`.

    A gene that the other groups do not have gets the mean of all genes.
    """
    return _columns(tally, weight, tally.fit["target", weight], tally.scored["target", weight], in_sample)


def cell_gene_mean(tally: ValueTally, weight: Weight, *, in_sample: bool = False) -> list[float]:
    """Return the squared error of a cell's mean target plus what a gene has over it on average; as `gene_mean`.

    A cell's mean is of the genes it shows; what a gene has over it is learnt from the cells of other groups.
    """
    return _columns(tally, weight, tally.fit["excess", weight], tally.scored["excess", weight], in_sample)


def of_genes(tally: ValueTally) -> Floats:
    """Return the squared error of each gene's mean, out of sample, summed over its scored entries, (n_genes,)."""
    fit, scored = tally.fit["target", "pooled"], tally.scored["target", "pooled"]
    total: Floats = np.sum([_errors(fit, scored, group, [group]) for group in range(tally.groups.size)], axis=0)
    return total


def _columns(tally: ValueTally, weight: Weight, fit: Floats, scored: Floats, in_sample: bool) -> list[float]:
    size, whole = tally.groups.size, fit.sum(axis=1)
    sums = np.empty((1 + size, size))
    for left_out in range(-1, size):
        for group in range(size):
            without = {left_out} if in_sample else {left_out, group}
            sums[1 + left_out, group] = _errors(fit, scored, group, sorted(without - {-1}), whole).sum()
    return tally.groups.columns(sums, tally.weights(weight))


def _errors(fit: Floats, scored: Floats, group: int, without: list[int], whole: Floats | None = None) -> Floats:
    """Return the squared errors in ``group``, summed by gene, of means of everybody but the groups ``without``."""
    number, total = (fit.sum(axis=1) if whole is None else whole) - fit[:, without].sum(axis=1)
    known = number > NOTHING
    overall = total.sum() / number.sum() if known.any() else np.nan
    means = np.divide(total, number, out=np.full_like(total, overall), where=known)
    n, values, squares = scored[:, group]
    errors: Floats = squares - 2 * means * values + means**2 * n
    return errors

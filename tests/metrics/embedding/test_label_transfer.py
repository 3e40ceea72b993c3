"""Label transfer is scikit-learn's classifier on the cells of other donors."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from zsgate.metrics import (
    label_transfer,
)


def test_label_transfer_is_a_classifier_without_the_own_donor(some):
    """scikit-learn's 15 nearest neighbours, fitted on the other donors, give the same macro F1."""
    dataset, rows = some
    said = np.empty_like(dataset.cell_types)
    for donor in np.unique(dataset.donors):
        own = dataset.donors == donor
        classifier = KNeighborsClassifier(15, algorithm="brute").fit(rows[~own], dataset.cell_types[~own])
        said[own] = classifier.predict(rows[own])
    pairs = {(label, donor) for label, donor in zip(dataset.cell_types, dataset.donors, strict=True)}
    shared = [label for label in np.unique(dataset.cell_types) if sum(pair[0] == label for pair in pairs) >= 2]
    theirs = f1_score(dataset.cell_types, said, labels=shared, average="macro", zero_division=0)
    assert label_transfer(rows, dataset).value == pytest.approx(theirs, abs=1e-12)

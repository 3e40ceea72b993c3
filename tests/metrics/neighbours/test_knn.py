"""Nearest neighbours are exact, also of the cells that remain and of other donors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from zsgate.metrics.neighbours.backend import BACKEND
from zsgate.metrics.neighbours.knn import Neighbours
from zsgate.metrics.neighbours.on_torch.search import Search

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device")
IN_TORCH = ["cpu:0", pytest.param("cuda", marks=[pytest.mark.gpu, needs_gpu])]  # "cpu" is numpy


@pytest.mark.parametrize("device", ["cpu", *IN_TORCH])
def test_neighbours_are_exact_also_of_foreign_units(some, device, monkeypatch):
    """By brute force, for any mask, with and without the own donor's cells."""
    monkeypatch.setattr(BACKEND, "device", device)
    dataset, rows = some
    units = np.unique(dataset.donors, return_inverse=True)[1]
    distances = np.linalg.norm(rows[:, None].astype(float) - rows[None].astype(float), axis=2)
    np.fill_diagonal(distances, np.inf)
    for foreign in (None, units):
        allowed = distances if foreign is None else np.where(units[:, None] == units, np.inf, distances)
        nearest = Neighbours(rows, 10, foreign)
        for mask in (np.ones(len(rows), bool), units != 3, units < 2):
            found, there = nearest.among(mask)
            expected = np.argsort(allowed[np.ix_(mask, mask)], axis=1, kind="stable")[:, : found.shape[1]]
            np.testing.assert_array_equal(
                np.where(there, found, -1), np.where(there, np.flatnonzero(mask)[expected], -1)
            )
            assert there.sum() == min(10, mask.sum() - 1) * mask.sum() or foreign is not None


@pytest.mark.parametrize("device", IN_TORCH)
def test_a_device_finds_the_same(some, device, monkeypatch):
    """With two kinds of copies, of which the many are drawn, and a cell far away; of equally near ones whichever."""
    rows, cells = some[1].copy(), np.arange(len(some[1]))
    rows[::9], rows[5:9], rows[100] = rows[0], rows[5], 1e6
    remaining = cells % 3 > 0
    own = rows[remaining, None].astype(float)
    found = {}
    for where in ("cpu", device):
        monkeypatch.setattr(BACKEND, "device", where)
        found[where] = [Neighbours(rows, 10, foreign).among(remaining) for foreign in (None, cells % 7)]
    for (here, known), (there, known_there) in zip(found["cpu"], found[device], strict=True):
        np.testing.assert_array_equal(known_there, known)
        away = [np.linalg.norm(rows[near].astype(float) - own, axis=2) for near in (there, here)]
        np.testing.assert_allclose(*away, rtol=1e-9, atol=1e-6)


def test_a_device_that_others_fill_is_given_less_at_a_time(some, monkeypatch):
    """Out of memory halves what is searched at once until it fits."""
    usual = Neighbours(some[1], 10).everybody
    asked, squares = [], Search._squares

    def short(self, own, gone):
        asked.append(len(own))
        if len(own) > 100:
            raise torch.OutOfMemoryError
        return squares(self, own, gone)

    monkeypatch.setattr(Search, "_squares", short)
    monkeypatch.setattr(BACKEND, "device", "cpu:0")
    np.testing.assert_array_equal(Neighbours(some[1], 10).everybody[0], usual[0])
    assert max(asked) > 100
    assert sum(each for each in asked if each <= 100) == len(some[1])

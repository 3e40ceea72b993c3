"""Models that predict genes of real cells, made of NumPy alone, and what they come to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from zsgate.baselines.averages import AVERAGES
from zsgate.data.dataset import Dataset
from zsgate.metrics.reconstruction.metric import RECONSTRUCTION
from zsgate.metrics.reconstruction.one_pass import one_pass
from zsgate.metrics.reconstruction.result import CANDIDATE, ReconstructionResult
from zsgate.models.reconstruction import Reconstruction, hidden
from zsgate.verdict.recipe import DEFAULT, Recipe
from zsgate.verdict.score import Score


def noise(dataset: Dataset, rows: np.ndarray, genes: np.ndarray, seed: int) -> np.ndarray:
    """Return a standard normal value of each (cell, gene), keyed by their names."""
    of_cell = np.array([int.from_bytes(cell.encode()[-7:], "little") % 2**31 for cell in dataset.cell_ids.tolist()])
    of_gene = np.array([int.from_bytes(gene.encode()[-7:], "little") % 2**31 for gene in dataset.symbols.tolist()])
    words = (of_cell[rows] * 2654435761 + of_gene[genes] * 40503 + seed * 977) % 2**32
    return np.sin(words / 1e3) + np.cos(words / 7e2)


def genes_named(dataset: Dataset) -> np.ndarray:
    """Return a number of each gene that does not depend on its column."""
    return np.array([int.from_bytes(gene.encode()[-7:], "little") for gene in dataset.symbols.tolist()], np.uint64)


class Bins:
    """Quantile bins of non-zero counts; predictions are the truth, a copy, or the truth with noise."""

    scale = "bin"
    heads = ("gep", "gepc")

    def __init__(self, *, spread: float = 5.0, copies: bool = False, window: int = 64) -> None:
        self.spread, self.copies, self.window = spread, copies, window

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield windows of predictions."""
        for start in range(0, dataset.n_cells, self.window):
            rows = np.arange(start, min(start + self.window, dataset.n_cells))
            counts = dataset.counts[rows]
            offsets, genes = counts.indptr.astype(np.int64), counts.indices.astype(np.int32)
            hide = hidden(offsets, genes_named(dataset)[genes], masked, seed)
            target = np.minimum(counts.data, 50).astype(np.float32)
            owner = rows[np.repeat(np.arange(len(rows)), np.diff(offsets))]
            guess = target + self.spread * noise(dataset, owner, genes, 0).astype(np.float32)
            if self.copies:
                guess = np.where(hide, np.float32(-1), target)
            heads = {"gep": guess, "gepc": target + np.float32(3)}
            floor = np.full(len(target), 0.25, np.float32)
            yield Reconstruction(
                cells=rows, offsets=offsets, genes=genes, target=target, predictions=heads, scale="bin", masked=hide,
                noise_floor=floor,
            )  # fmt: skip


class Ranks:
    """Genes by falling count; each position names the right token, a neighbour's or a stranger."""

    scale = "rank"

    def __init__(self, *, window: int = 64, right: float = 0.3, longest: int = 200) -> None:
        self.window, self.right, self.longest = window, right, longest

    def reconstruct(self, dataset: Dataset, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield windows of predictions."""
        for start in range(0, dataset.n_cells, self.window):
            rows = np.arange(start, min(start + self.window, dataset.n_cells))
            yield self.window_of(dataset, rows, masked, seed)

    def window_of(self, dataset: Dataset, rows: np.ndarray, masked: float, seed: int) -> Reconstruction:
        """Return the window of some cells."""
        names = genes_named(dataset)
        rank_of = np.empty(len(names), np.int32)
        rank_of[np.argsort(names, kind="stable")] = np.arange(len(names))  # a token does not depend on the column
        columns, lengths = [], []
        for row in rows:
            cell = dataset.counts[row]
            order = np.lexsort((rank_of[cell.indices], -cell.data))[: self.longest]
            columns.append(cell.indices[order])
            lengths.append(len(order))
        genes = np.concatenate(columns).astype(np.int32)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        owner = np.repeat(rows, lengths)
        place = np.arange(len(genes)) - np.repeat(offsets[:-1], lengths)
        last = np.maximum(np.repeat(lengths, lengths) - 1, 1)
        tokens = rank_of[genes]
        draw = noise(dataset, owner, genes, 1)
        token = np.where(draw > 2 - 4 * self.right, tokens, (tokens // 7) * 7 + (np.abs(draw) * 900).astype(int) % 60)
        hide = hidden(offsets, names[genes], masked, seed)
        return Reconstruction(
            cells=rows, offsets=offsets, genes=genes, scale="rank", masked=hide, tokens=tokens,
            target=((last - place) / last).astype(np.float32),
            predictions={
                "token": token.astype(np.int32),
                "log_probability": (-3 - np.abs(draw)).astype(np.float32),
                "likelier": (token != tokens).astype(np.int32) * (np.abs(draw) * 12).astype(np.int32),
            },
        )  # fmt: skip


def reconstructed(model, dataset: Dataset, masked: float = 0.0) -> ReconstructionResult:
    """Return what a model, the averages and a copy make of a dataset's genes."""
    return one_pass(model, dataset, AVERAGES, masked)


def score(found: ReconstructionResult, name: str, who: str = CANDIDATE, recipe: Recipe = DEFAULT) -> Score:
    return RECONSTRUCTION[name](found.side(who, recipe))


def entries(model, dataset: Dataset, masked: float) -> pd.DataFrame:
    """Return every (cell, gene) of a model's windows, one row each."""
    frames = []
    for part in model.reconstruct(dataset, masked=masked):
        columns = {"cell": part.cells[part.cell_of_entry], "gene": part.genes, "target": part.target}
        columns |= {"masked": part.masked, **part.predictions}
        frames.append(pd.DataFrame(columns | ({} if part.tokens is None else {"true": part.tokens})))
    table = pd.concat(frames, ignore_index=True)
    return table.assign(donor=dataset.donors[table["cell"]])

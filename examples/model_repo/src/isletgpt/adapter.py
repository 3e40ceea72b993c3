"""Model: what ``pytest --model=isletgpt:Model`` puts on trial."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import anndata
import numpy as np
import numpy.typing as npt
import torch
from zsgate import ModelInfo, Reconstruction, progress

from isletgpt.checkpoint import Checkpoint, digest, load
from isletgpt.model import Network, Output
from isletgpt.tokens import Batch, Cells, read

CHECKPOINT = Path("checkpoints/isletgpt.safetensors")  # or what the variable ISLETGPT_CHECKPOINT names
AT_ONCE = 64  # cells


class Model:
    """The pretrained network, or its untrained twin.

    Parameters
    ----------
    device
        ``"cpu"`` or ``"cuda"``.
    checkpoint
        The weights; None reads the file.
    fingerprint
        Tells weights apart; None takes the digest of the file.
    """

    scale, heads = "lognorm", ("gep", "gepc")

    def __init__(
        self, device: str = "cpu", checkpoint: Checkpoint | None = None, fingerprint: str | None = None
    ) -> None:
        path = Path(os.environ.get("ISLETGPT_CHECKPOINT", CHECKPOINT))
        self.device = device
        self.checkpoint = load(path) if checkpoint is None else checkpoint
        self.network = self.checkpoint.network.to(device)
        self.fingerprint = digest(path) if fingerprint is None else fingerprint
        record = self.checkpoint.record
        self.info = ModelInfo(
            name="isletgpt",
            code_licence="BSD-3-Clause",
            weights_licence="CC BY 4.0, as the cells",
            weights=((path.name, self.fingerprint),),
            dimensions=self.network.shape.width,
            gene_ids="ensembl",
            pretraining=(record.dataset, "pancreas_quick"),  # which is drawn from it
            notes=(
                f"pretrained by masked expression on {record.n_cells:,} cells of {record.dataset}, of the donors "
                f"{', '.join(record.donors)}: {record.steps:,} steps, seed {record.seed}",
            ),
        )

    def embed(self, adata: anndata.AnnData) -> npt.NDArray[np.float32]:
        """Return the embedding of each cell, (n_cells, width), in the order given."""
        cells = self._read(adata)
        rows = np.empty((len(cells), self.network.shape.width), np.float32)
        for where, _, output in self._outputs(cells):
            rows[where] = output.cell.numpy()
        return rows

    def random_init(self, seed: int) -> Model:
        """Return the same architecture, vocabulary and tokens with weights that were never trained."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1_000 + seed)  # pretraining begins at another seed
            network = Network(self.network.shape).eval()
        checkpoint = Checkpoint(network, self.checkpoint.vocabulary, self.checkpoint.record)
        return Model(self.device, checkpoint, f"{self.fingerprint}:untrained{seed}")

    def reconstruct(self, adata: anndata.AnnData, *, masked: float = 0.0, seed: int = 0) -> Iterator[Reconstruction]:
        """Yield what both heads predict of the genes that are read, the hidden ones among them."""
        cells = self._read(adata)
        for where, batch, output in self._outputs(cells):
            genes = ~batch.padding
            genes[:, 0] = False
            lengths = genes.sum(1).numpy()
            yield Reconstruction(
                cells=where.astype(np.intp),
                offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                genes=cells.columns[cells.entries(where)].astype(np.int32),
                target=batch.values[genes].numpy(),
                predictions={"gep": output.gep[genes].numpy(), "gepc": output.gepc[genes].numpy()},
                scale=self.scale,
                masked=batch.hidden[genes].numpy(),
            )

    def _read(self, adata: anndata.AnnData) -> Cells:
        names = adata.var.get("ensembl_id", adata.var_names)
        return read(adata.X, names.tolist(), self.checkpoint.vocabulary, adata.layers.get("hidden"))

    @torch.inference_mode()
    def _outputs(self, cells: Cells) -> Iterator[tuple[npt.NDArray[np.int64], Batch, Output]]:
        """Yield (rows, what was read of them, what the network says), on the CPU."""
        for rows, batch in progress(list(cells.batches(AT_ONCE))):
            moved = Batch(*(each.to(self.device) for each in vars(batch).values()))
            yield rows, batch, Output(*(each.float().cpu() for each in self.network(moved)))

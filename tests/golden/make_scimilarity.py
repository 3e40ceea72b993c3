"""Make scimilarity_outputs.npz with upstream's code.

    python tests/golden/make_scimilarity.py FOLDER_OF_UPSTREAM

The folder holds src/scimilarity of Genentech/scimilarity@3ce3ec81, of which utils.py and nn_models.py are used:
align_dataset, lognorm_counts and Encoder in eval mode on four cells of pancreas_quick, at the shape of v1.1 (28,231
genes, three hidden layers of 1,024, 128 dimensions), weights of ``drawn_state``. Upstream's
align_dataset keeps the order of genes only where it is sorted, as the published one is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import torch
from drawn import drawn_state, genes_in_order, with_batch_norms

from zsgate.models.families.scimilarity.network import SCimilarityShape
from zsgate.testing import some_cells

HERE = Path(__file__).parent
SHAPE = SCimilarityShape(28_231, (1024, 1024, 1024), 128)
SEED = 7


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    from nn_models import Encoder
    from utils import align_dataset, lognorm_counts

    cells = some_cells(4)
    order = genes_in_order(cells.symbols.tolist(), SHAPE.n_genes)
    adata = anndata.AnnData(
        cells.counts.copy(), var=pd.DataFrame(index=cells.symbols.astype(object)), layers={"counts": cells.counts}
    )
    adata = lognorm_counts(align_dataset(adata, order))
    model = Encoder(SHAPE.n_genes, SHAPE.latent, list(SHAPE.hidden))
    missing, unexpected = model.load_state_dict(with_batch_norms(drawn_state(SHAPE.tensors(), SEED)), strict=False)
    assert not unexpected
    assert all(name.endswith("num_batches_tracked") for name in missing)
    model.eval()
    with torch.no_grad():
        rows = model(torch.Tensor(adata.X.toarray())).numpy()
    np.savez_compressed(HERE / "scimilarity_outputs.npz", rows=rows)


if __name__ == "__main__":
    main()

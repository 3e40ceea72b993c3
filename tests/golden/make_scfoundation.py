"""Make scfoundation_outputs.npz with upstream's code.

    python tests/golden/make_scfoundation.py FOLDER_OF_UPSTREAM

The folder holds load.py and pretrainmodels/ of biomap-research/scFoundation@d09626a5 (folder model), of which
main_gene_selection, gatherData, MaeAutobin and the transformer are used, in the steps of get_embedding.py for single
cells at t4: four cells of pancreas_quick with every eighth gene, at the published shape (19,264 genes, 12 layers of 768
with 12 heads, 100 soft bins), weights of ``drawn_state``.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from drawn import drawn_state, genes_in_order

from zsgate.models.families.scfoundation.network import ScFoundationShape
from zsgate.testing import some_cells

HERE = Path(__file__).parent
SHAPE = ScFoundationShape(19_264, 768, 12, 12, 100, 1.0)
SEED = 8


def upstream(folder: Path) -> tuple[torch.nn.Module, types.ModuleType]:
    """Return upstream's model without its decoder, and its module ``load``."""
    package = types.ModuleType("pretrainmodels")  # upstream's __init__ imports the decoder's Performer
    package.__path__, package.select_model = [str(folder / "pretrainmodels")], None
    sys.modules["pretrainmodels"] = package
    sys.path.insert(0, str(folder))
    import load
    from pretrainmodels.mae_autobin import MaeAutobin
    from pretrainmodels.transformer import pytorchTransformerModule

    length = SHAPE.n_genes + 2
    model = MaeAutobin(
        num_tokens=104,
        max_seq_len=length,
        embed_dim=SHAPE.hidden_dim,
        decoder_embed_dim=512,
        bin_alpha=SHAPE.bin_alpha,
        bin_num=SHAPE.bin_num,
        pad_token_id=103,
        mask_token_id=102,
    )
    model.encoder = pytorchTransformerModule(length, SHAPE.hidden_dim, SHAPE.depth, SHAPE.heads)
    missing, unexpected = model.load_state_dict(drawn_state(SHAPE.tensors(), SEED), strict=False)
    assert not unexpected
    assert all(name.startswith(("token_emb.emb_", "decoder_embed.", "norm.", "to_final.")) for name in missing)
    return model.eval(), load


def main() -> None:
    model, load = upstream(Path(sys.argv[1]))
    load.pd = pd  # which it uses and does not import
    cells = some_cells(4)
    cells = cells.with_genes(np.arange(0, len(cells.symbols), 8))
    order = genes_in_order(cells.symbols.tolist(), SHAPE.n_genes)
    frame, _ = load.main_gene_selection(pd.DataFrame(cells.counts.toarray(), columns=cells.symbols), order)
    rows: dict[str, list[np.ndarray]] = {"all": [], "max": []}
    for _, cell in frame.iterrows():
        total = cell.sum()
        x = torch.tensor([*np.log1p(cell / total * 1e4).tolist(), 4.0, np.log10(total)]).unsqueeze(0)
        shown = x > 0
        values, padding = load.gatherData(x, shown, 103)
        places, _ = load.gatherData(torch.arange(x.shape[1]).repeat(1, 1), shown, 103)
        with torch.no_grad():
            tokens = model.token_emb(torch.unsqueeze(values, 2).float(), output_weight=0) + model.pos_emb(places)
            found = model.encoder(tokens, padding)[0]
        parts = (found[-1], found[-2], found[:-2].max(0).values, found[:-2].mean(0))
        rows["all"].append(torch.cat(parts).numpy())
        rows["max"].append(found.max(0).values.numpy())
    np.savez_compressed(HERE / "scfoundation_outputs.npz", **{name: np.stack(each) for name, each in rows.items()})


if __name__ == "__main__":
    main()

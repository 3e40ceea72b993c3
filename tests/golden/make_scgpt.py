"""Make scgpt_tokens.npz and scgpt_outputs.npz with upstream's own code (bowang-lab/scGPT, commit cebd6fa).

    python tests/golden/make_scgpt.py PATH_TO_UPSTREAM_CLONE

Tokens: real cells through upstream's collator after numpy.random.seed(3) and torch.manual_seed(3); a gene's id is
its column. Outputs: upstream's model at the shape of the whole-human checkpoint, weights of ``drawn_state``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state

from zsgate.data.catalogue.load import load
from zsgate.models.families.scgpt.network import ScGPTShape

HERE = Path(__file__).parent
SHAPE = ScGPTShape(embsize=512, nheads=8, d_hid=512, nlayers=12, max_seq_len=1200)
N_TOKENS, PAD, CLS = 60_697, 60_694, 60_695
SEED = 3


def tokens() -> dict[str, np.ndarray]:
    from scgpt.data_collator import DataCollator

    dataset = load("pancreas_quick")
    rows = np.arange(0, dataset.n_cells, 60)
    collate = DataCollator(
        do_padding=True, pad_token_id=PAD, pad_value=-2, do_mlm=False, do_binning=True, max_length=1200
    )
    np.random.seed(SEED)  # noqa: NPY002 (upstream's generator)
    torch.manual_seed(SEED)
    examples = []
    for row in rows:
        counts = dataset.counts[row].toarray()[0]
        genes = np.flatnonzero(counts)
        ids, values = np.insert(genes, 0, CLS), np.insert(counts[genes], 0, -2)
        examples.append({"genes": torch.from_numpy(ids), "expressions": torch.from_numpy(values)})
    batch = collate(examples)
    return {"rows": rows, "ids": batch["gene"].numpy().astype(np.int32), "bins": batch["expr"].numpy().astype(np.int8)}


def outputs(ids: np.ndarray, bins: np.ndarray) -> dict[str, np.ndarray]:
    from scgpt.model import TransformerModel

    model = TransformerModel(
        N_TOKENS, SHAPE.embsize, SHAPE.nheads, SHAPE.d_hid, SHAPE.nlayers, vocab={"<pad>": PAD}, dropout=0.2,
        pad_value=-2, do_mvc=True,
    )  # fmt: skip
    model.load_state_dict(drawn_state(SHAPE.tensors(N_TOKENS), SEED), strict=False)
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    ids, bins = torch.from_numpy(ids).long(), torch.from_numpy(bins).float()
    with torch.no_grad():
        found = model(ids, bins, src_key_padding_mask=ids.eq(PAD), MVC=True)
    return {name: found[name].numpy() for name in ("cell_emb", "mlm_output", "mvc_output")}


def main() -> None:
    sys.path.insert(0, sys.argv[1])
    found = tokens()
    np.savez_compressed(HERE / "scgpt_tokens.npz", **found)
    lengths = (found["ids"] != PAD).sum(axis=1)
    some = [int(lengths.argmin()), int(lengths.argmax())]  # a short cell and a full one
    ids = found["ids"][some] % (N_TOKENS - 3)
    ids[:, 0] = CLS
    ids[found["ids"][some] == PAD] = PAD
    bins = found["bins"][some]
    np.savez_compressed(HERE / "scgpt_outputs.npz", ids=ids, bins=bins, **outputs(ids, bins))


if __name__ == "__main__":
    main()

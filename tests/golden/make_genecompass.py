"""Make genecompass_outputs.npz with upstream's own code (xCompass-AI/GeneCompass, commit 8323757, no licence stated).

    python tests/golden/make_genecompass.py PATH_TO_UPSTREAM_CLONE

It needs transformers 4.30.2, scanpy and nothing else of upstream's requirements, and is an oracle only: nothing of it
is in zsgate. Tokens: four cells of pancreas_quick with every fourth gene through ``Normalized``, ``log1p`` and
``rank_value`` of upstream's preprocess.py. Outputs: the class token's last output of upstream's BertModel for them,
padded and masked as upstream's collator does, at the shape of GeneCompass_Base and at a small one, weights of
``drawn_state``.
"""

from __future__ import annotations

import ast
import importlib
import pickle
import sys
import tempfile
import types
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from drawn import drawn_state

from zsgate.data.dataset import Dataset
from zsgate.models.families.genecompass.network import FLAGS, MIX, PREFIX, PRIORS, GeneCompassShape, knowledge
from zsgate.models.transformer.bert import BertShape
from zsgate.testing import some_cells

HERE = Path(__file__).parent
SMALL = GeneCompassShape(BertShape(40, 4, 80, 2, 1024, 4_000, 2, 1e-12), (12, 20, 16, 8))
FULL = GeneCompassShape(BertShape(768, 12, 3072, 12, 2048, 50_558, 2, 1e-12), (768,) * 4)
SEED = 5


def genecompass_weights(shape: GeneCompassShape) -> dict[str, torch.Tensor]:
    """Return drawn weights, and prior knowledge as large as embeddings learnt elsewhere are."""
    state = drawn_state(shape.tensors() | shape.priors(), SEED)
    state[f"{MIX}.cat_ln.weight"] += 1
    return state | {name: 8 * state[name] for name in shape.priors()}


def golden_cells() -> Dataset:
    cells = some_cells(4)
    return cells.with_genes(np.arange(0, len(cells.symbols), 4))


def golden_genes(cells: Dataset) -> tuple[dict[str, int], dict[str, float]]:
    """Return tokens and medians of nine in ten genes; the most expressed one has no median, and so no tie."""
    assert cells.ensembl is not None
    genes = np.unique(cells.ensembl)
    genes = genes[np.arange(len(genes)) % 10 > 0].tolist()
    drawn = np.random.default_rng(SEED).lognormal(0.5, 0.5, len(genes))
    medians = dict(zip(genes, drawn.tolist(), strict=True))
    totals = dict(zip(cells.ensembl.tolist(), np.asarray(cells.counts.sum(axis=0)).ravel().tolist(), strict=True))
    del medians[max(genes, key=totals.__getitem__)]
    return {name: place for place, name in enumerate(["<pad>", "<mask>", *genes])}, medians


def tokens(clone: Path) -> dict[str, np.ndarray]:
    import anndata as ad
    import scanpy as sc
    import tqdm

    source = ast.parse((clone / "preprocess" / "preprocess.py").read_text())
    wanted = ("tokenize_cell", "Normalized", "log1p", "rank_value")
    body = [each for each in source.body if isinstance(each, ast.FunctionDef) and each.name in wanted]
    upstream: dict[str, object] = {"np": np, "sc": sc, "pickle": pickle, "tqdm": tqdm}
    exec(compile(ast.Module(body, []), "preprocess.py", "exec"), upstream)
    cells = golden_cells()
    token_of, medians = golden_genes(cells)
    dense = ad.AnnData(cells.counts.toarray().astype(np.float64))
    dense.var_names = cells.ensembl.astype(object)
    dense = dense[:, [gene in token_of for gene in dense.var_names]].copy()
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(pickle.dumps(medians))
        dense = upstream["Normalized"](dense, file.name, 1e4)
    dense = upstream["log1p"](dense)
    ids, lengths, values = upstream["rank_value"](dense, token_of)
    return {"ids": ids.astype(np.int32), "values": values.astype(np.float32), "lengths": np.array(lengths)}


def outputs(shape: GeneCompassShape, found: dict[str, np.ndarray]) -> np.ndarray:
    from transformers import BertConfig

    package = types.ModuleType("genecompass")  # upstream's __init__ imports its trainer
    package.__path__ = [str(Path(sys.argv[1]) / "genecompass")]
    sys.modules["genecompass"] = package
    package.MaskedLMOutputBoth = importlib.import_module("genecompass.output").MaskedLMOutputBoth
    from genecompass.modeling_bert import BertModel

    state = genecompass_weights(shape)
    knowledges = {prior: state[knowledge(prior)] for prior in PRIORS} | {"homologous_gene_human2mouse": {3: 4}}
    config = BertConfig(**asdict(shape.bert), hidden_act="gelu", pad_token_id=0, **dict.fromkeys(FLAGS, True))
    model = BertModel(config, knowledges, add_pooling_layer=False).eval()
    names = {name.removeprefix(PREFIX): each for name, each in state.items()}
    missing, unknown = model.load_state_dict(names, strict=False)
    assert not unknown
    assert set(missing) <= {"embeddings.position_ids", "embeddings.homologous_index"}
    longest = int(found["lengths"].max()) + 9
    ids, values = (torch.from_numpy(found[part][:, :longest]) for part in ("ids", "values"))
    species = torch.zeros(len(ids), 1, dtype=torch.long)
    with torch.no_grad():
        rows = model(ids.long(), values=values, attention_mask=(ids != 0).long(), species=species)[0]
    return rows[:, 0].numpy()


def main() -> None:
    found = tokens(Path(sys.argv[1]))
    small, full = (outputs(shape, found) for shape in (SMALL, FULL))
    longest = int(found["lengths"].max())
    short = {part: found[part][:, :longest] for part in ("ids", "values")}
    np.savez_compressed(HERE / "genecompass_outputs.npz", **found | short, small=small, full=full)


if __name__ == "__main__":
    main()

"""Reading a GeneCompass checkpoint from its files, published or one's own."""

from __future__ import annotations

from pathlib import Path

from zsgate.errors import UsageProblem
from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.families.genecompass.adapter import GeneCompass
from zsgate.models.families.genecompass.checkpoints import CONFIG, LAYERS, MEDIANS, MODEL, NAMES, TOKENS
from zsgate.models.families.genecompass.genes import read_genes
from zsgate.models.families.genecompass.network import KNOWN_EXTRAS, GeneCompassShape
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_tensors


def load(
    name: str = "genecompass_base",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    offline: bool = False,
    cache: Path | None = None,
) -> GeneCompass:
    """Return the adapter of a GeneCompass checkpoint.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`, or ``"genecompass"``, one's own.
    weights
        Folder with ``pytorch_model.bin``, in which the prior knowledge is, its ``config.json``,
        ``human_mouse_tokens.pickle``, ``human_gene_median_after_filter.pickle`` and
        ``Gene_id_name_dict_human_mouse.pickle``; None takes the cache, where they must be put by hand.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of a GeneCompass checkpoint.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    model = files[MODEL].path
    tensors = read_tensors(model, mapped=True)  # the prior knowledge is half of it, and read when it is folded
    shape = GeneCompassShape.read(files[CONFIG].path, tensors)
    depth = shape.bert.num_hidden_layers
    if LAYERS.get(checkpoint.name, depth) != depth:
        wanted = LAYERS[checkpoint.name]
        msg = f"{files[CONFIG].path} is not that of {checkpoint.name}, which has {wanted} layers: {depth}"
        raise UsageProblem(msg)
    genes = read_genes(files[TOKENS].path, files[MEDIANS].path, files[NAMES].path)
    if genes.n_tokens != shape.bert.vocab_size:
        msg = f"{files[TOKENS].path} has {genes.n_tokens:,} tokens, {model.name} {shape.bert.vocab_size:,}"
        raise UsageProblem(msg)
    expected = shape.tensors() | shape.priors()
    state, left_out = match_tensors(tensors, expected, where=model, extras=KNOWN_EXTRAS)
    return GeneCompass(
        checkpoint=checkpoint,
        priors={table: state.pop(table) for table in shape.priors()},
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
    )

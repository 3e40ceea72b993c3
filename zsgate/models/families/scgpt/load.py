"""Reading an scGPT checkpoint from its files, published or one's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.families.scgpt.adapter import ScGPT, ScGPTEncoder
from zsgate.models.families.scgpt.network import (
    HEADS,
    KNOWN_EXTRAS,
    LONGEST,
    ScGPTShape,
    reads_batches,
    refuse_batch_norm,
    use_torch_names,
)
from zsgate.models.families.scgpt.presets import read_vocabulary
from zsgate.models.families.scgpt.tokens import N_BINS
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_tensors, without_padding
from zsgate.models.pretrained.weights import read_names_and_values

GENES = "encoder.embedding.weight"


def load(
    name: str = "scgpt_human",
    *,
    weights: str | Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    randomness: str = "keyed",
    seed: int = 0,
    draws: int = 1,
    offline: bool = False,
    cache: Path | None = None,
) -> ScGPTEncoder:
    """Return the adapter of an scGPT checkpoint; one without heads embeds and predicts nothing.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`, or ``"scgpt"``, one's own.
    weights
        Folder with ``best_model.pt`` (or ``.safetensors``), ``args.json`` and ``vocab.json``; None takes
        the cache, filled from the official place.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset, randomness, seed, draws
        As :class:`ScGPT` has them.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of an scGPT checkpoint.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    args, model = files["args.json"].path, files["best_model.pt"].path
    shape = ScGPTShape.read(args)
    tensors = use_torch_names(read_tensors(model))
    refuse_batch_norm(tensors, where=model)
    vocabulary = read_vocabulary(files["vocab.json"].path, len(tensors[GENES]) if GENES in tensors else 0)
    labelled = reads_batches(tensors, shape)
    state, left_out = match_tensors(
        without_padding(tensors, (GENES,), len(vocabulary)),
        shape.encoder(len(vocabulary)),
        where=model,
        heads=() if labelled else tuple(shape.heads().values()),
        extras=(*KNOWN_EXTRAS, *(("decoder.", "mvc_decoder.") if labelled else ())),
    )
    heads = tuple(head for head in HEADS if shape.heads()[head].keys() <= state.keys())
    maker = ScGPT if heads else ScGPTEncoder
    return maker(
        checkpoint=replace(checkpoint, notes=(*checkpoint.notes, *_notes(args, heads))),
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        vocabulary=vocabulary,
        randomness=randomness,
        seed=seed,
        draws=draws,
        heads=heads,
    )


def _notes(args: Path, heads: tuple[str, ...]) -> Iterator[str]:
    """Yield what of the files is other than what is run."""
    stated = read_names_and_values(args)
    if "max_seq_len" not in stated:
        yield f"args.json states no max_seq_len: {LONGEST:,}, as upstream's embed_data has it"
    if stated.get("n_bins", N_BINS) != N_BINS:
        yield f"args.json states n_bins {stated['n_bins']}: cells are binned in {N_BINS}, as upstream always bins them"
    if absent := [head for head in HEADS if head not in heads]:
        yield f"has no head {' or '.join(absent)}, which was not tested"

"""Reading a UCE checkpoint from its files, published or one's own."""

from __future__ import annotations

from pathlib import Path

from zsgate.errors import UsageProblem
from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.families.uce.adapter import UCE
from zsgate.models.families.uce.checkpoints import OFFSETS, PLACES
from zsgate.models.families.uce.checkpoints import PROTEINS as VECTORS
from zsgate.models.families.uce.genes import UCEGenes, read_genes
from zsgate.models.families.uce.network import KNOWN_EXTRAS, PROTEINS, UCEShape
from zsgate.models.families.uce.tokens import LONGEST
from zsgate.models.pretrained.own import find_checkpoint
from zsgate.models.pretrained.tensors import match_tensors, read_tensors


def load(
    name: str = "uce_4l",
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
) -> UCE:
    """Return the adapter of a UCE checkpoint.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`, or ``"uce"``, one's own.
    weights
        Folder with the model, ``species_chrom.csv``, ``species_offsets.pkl`` and the human file of
        ``protein_embeddings.tar.gz``; None takes the cache, filled from the official place.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"``.
    dtype
        ``"float32"``, ``"bfloat16"`` or ``"float16"``; None is bfloat16 on a GPU that has it, else float32.
    preset
        ``"official"``; Kedzierska et al. did not run this model.
    randomness, seed, draws
        As :class:`UCE` has them.
    offline
        Whether nothing may be downloaded.
    cache
        Folder of downloads; None is the platform's cache folder.

    Raises
    ------
    UsageProblem
        If a file is absent, truncated, altered or not that of a UCE checkpoint.
    """
    where = chosen_device(device)
    checkpoint, files = find_checkpoint(name, weights, cache, offline=offline)
    model = next(file.path for each, file in files.items() if each.endswith(".torch"))
    tensors = read_tensors(model, mapped=True)  # 3 GB of proteins, of which a dataset needs some
    shape = UCEShape.of(tensors, where=model)
    genes = read_genes(files[VECTORS].path, files[OFFSETS].path, files[PLACES].path)
    n_tokens = _count_tokens(genes)
    proteins = tensors.get(PROTEINS)
    if shape.n_places < LONGEST or proteins is None or proteins.ndim != 2 or len(proteins) < n_tokens:
        msg = f"{model} does not fit: sentences have up to {LONGEST} places and {n_tokens:,} different tokens"
        raise UsageProblem(msg)
    expected = shape.tensors() | {PROTEINS: (len(proteins), shape.d_protein)}
    state, left_out = match_tensors(tensors, expected, where=model, extras=KNOWN_EXTRAS)
    return UCE(
        checkpoint=checkpoint,
        proteins=state.pop(PROTEINS),
        state=state,
        files=files,
        left_out=left_out,
        device=where,
        dtype=chosen_dtype(dtype, where),
        preset=preset,
        shape=shape,
        genes=genes,
        randomness=randomness,
        seed=seed,
        draws=draws,
    )


def _count_tokens(genes: UCEGenes) -> int:
    return genes.first_chromosome + 1 + max(place.chromosome for place in genes.places.values())

"""Reading a published scGPT checkpoint from its files."""

from __future__ import annotations

from pathlib import Path

from zsgate.models.device import chosen_device, chosen_dtype
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.weights import find_files, match_tensors, read_tensors
from zsgate.models.scgpt.adapter import ScGPT
from zsgate.models.scgpt.network import KNOWN_EXTRAS, ScGPTShape, use_torch_names
from zsgate.models.scgpt.presets import read_vocabulary
from zsgate.system.cache import find_folder


def load(
    name: str = "scgpt_human",
    *,
    weights: Path | None = None,
    device: str = "auto",
    dtype: str | None = None,
    preset: str = "official",
    randomness: str = "keyed",
    seed: int = 0,
    draws: int = 1,
    offline: bool = False,
    cache: Path | None = None,
) -> ScGPT:
    """Return the adapter of a published scGPT checkpoint.

    Parameters
    ----------
    name
        A name in :data:`zsgate.models.pretrained.checkpoints.CHECKPOINTS`.
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
    files = find_files(CHECKPOINTS[name], weights, find_folder(cache), offline=offline)
    shape = ScGPTShape.read(files["args.json"].path)
    vocabulary = read_vocabulary(files["vocab.json"].path)
    model = files["best_model.pt"].path
    state, left_out = match_tensors(
        use_torch_names(read_tensors(model)),
        shape.tensors(len(vocabulary)),
        where=model,
        extras=KNOWN_EXTRAS,
    )
    return ScGPT(
        checkpoint=CHECKPOINTS[name],
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
    )

"""Tensors of a model's files by the names that its network gives them, whatever wrote the files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile, is_zipfile

from zsgate.errors import UsageProblem, sentence
from zsgate.models.pretrained.weights import read_shards

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STATES = ("model_state_dict", "state_dict")  # where loops of one's own and Lightning keep the tensors among others
WRAPPERS = ("module.", "_orig_mod.", "model.", "base_model.model.")  # DataParallel, compile, Lightning, peft
UNMERGED = re.compile(r"(^|\.)(lora_\w+|base_layer)(\.|$)")  # names of peft and loralib
STRANGE = re.compile(r"GLOBAL (\S+) was not an allowed global")  # torch's words for what it would have to execute
UNREAD = re.compile(r"WeightsUnpickler error: *(.*)")  # before it, torch advises to let the file run code
ROWS_PADDED_TO, MOST_PADDING = 8, 128  # tables are padded to multiples of 8, 64 or 128 rows


def read_tensors(path: Path, *, mapped: bool = False) -> dict[str, Tensor]:
    """Return the tensors of a file by name, on the CPU, without running code in it.

    With ``mapped`` a file of PyTorch is mapped where its format allows it: only what is used is read.

    The file is of safetensors or PyTorch, or the ``.index.json`` of either's shards. What wraps all names is left out:
    ``module.``, ``model.`` and the like.

    Raises
    ------
    UsageProblem
        If the file is truncated, altered, holds anything but tensors, or an adapter that is not merged.
    """
    if path.name.endswith(".index.json"):
        found: dict[str, Tensor] = {}
        for name in read_shards(path):
            found |= _read_file(path.with_name(name))
    else:
        found = _read_file(path, mapped=mapped)
    unmerged = [name for name in found if UNMERGED.search(name)]
    if unmerged:
        msg = (
            f"{path} holds a LoRA adapter that is not merged ({len(unmerged)} tensors, such as {unmerged[0]}): merge "
            "it (peft: model.merge_and_unload()) and save the model again"
        )
        raise UsageProblem(msg)
    return _unwrapped(found)


def read_part(path: Path, name: str) -> tuple[dict[str, Tensor], dict[str, object]]:
    """Return (tensors by name, settings) of one of the models that a PyTorch file of several holds, running no code.

    Parameters
    ----------
    path
        The file, ``{name: {"config": settings, "state_dict": tensors}, ...}``; what wraps all names is left out.
    name
        Of the model.

    Raises
    ------
    UsageProblem
        If the file is truncated, altered, lacks the model, or would have to execute something.
    """
    found = _open(path)
    part = found.get(name) if isinstance(found, dict) else None
    if not isinstance(part, dict) or not isinstance(part.get("config"), dict):
        has = (
            sentence(", ".join(map(str, list(found)[:10]))) if isinstance(found, dict) else f"a {type(found).__name__}"
        )
        msg = f"{path} holds no model {name!r} with its config and state_dict; it holds {has}"
        raise UsageProblem(msg)
    return _unwrapped(_checked(part.get("state_dict"), path)), part["config"]


def _read_file(path: Path, *, mapped: bool = False) -> dict[str, Tensor]:
    found = _open(path, mapped=mapped)
    states = [found[name] for name in STATES if isinstance(found.get(name), dict)] if isinstance(found, dict) else []
    return _checked(states[0] if len(states) == 1 else found, path)


def _open(path: Path, *, mapped: bool = False) -> object:
    """Return whatever a file holds that can be read without running code."""
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        zipped = is_zipfile(path)
        if zipped and (damaged := _damaged_part(path)):
            msg = f"the checksum of {damaged} does not fit"
            raise ValueError(msg)
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and zipped)
    except Exception as error:  # the boundary to safetensors, pickle and PyTorch: a damaged file fails in any way
        strange = STRANGE.search(str(error))
        unread = UNREAD.search(str(error))
        why = f"it is truncated, altered or not a weight file: {sentence(unread[1] if unread else str(error))}"
        if strange is not None:
            why = f"it holds a {strange[1]}, of which nothing was executed; save the tensors alone: model.state_dict()"
        msg = f"{path} cannot be read as model weights, {why}"
        raise UsageProblem(msg) from error


def _damaged_part(path: Path) -> str | None:
    """Return the first part of a zip archive whose checksum does not fit, which torch does not look at, or None."""
    with ZipFile(path) as archive:
        return archive.testzip()


def _checked(found: object, path: Path) -> dict[str, Tensor]:
    """Return ``found`` if it is tensors by name of which a network can be made."""
    import torch

    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        msg = f"{path} holds something else than tensors by name; a state dict is expected"
        raise UsageProblem(msg)
    if not all(torch.is_tensor(value) for value in found.values()):
        msg = f"{path} holds more than named tensors; a state dict is expected"
        raise UsageProblem(msg)
    unusual = [
        name
        for name, value in found.items()
        if value.layout != torch.strided or value.is_complex() or value.is_quantized or value.is_meta
    ]
    if unusual:
        msg = f"{path} holds tensors that are sparse, complex or quantized: {sentence(', '.join(unusual[:10]))}"
        raise UsageProblem(msg)
    return dict(found)


def _unwrapped(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors without what wraps all their names."""
    while wrapper := next((each for each in WRAPPERS if found and all(name.startswith(each) for name in found)), ""):
        found = {name.removeprefix(wrapper): tensor for name, tensor in found.items()}
    return found


def without_padding(state: Mapping[str, Tensor], tables: Sequence[str], n_tokens: int) -> dict[str, Tensor]:
    """Return the state, its tables cut to ``n_tokens`` rows where they are padded for speed: no token has the others.

    Parameters
    ----------
    state
        Tensors by name.
    tables
        Names of those with a row for each token; they need not be there.
    n_tokens
        Size of the vocabulary. A table with many more rows is that of another one and is left as it is.
    """
    padded = [name for name in tables if name in state and is_padded(len(state[name]), n_tokens)]
    return {**state, **{name: state[name][:n_tokens] for name in padded}}


def is_padded(n_rows: int, n_tokens: int) -> bool:
    """Return whether a table of ``n_rows`` is one of ``n_tokens`` padded for speed."""
    return 0 < n_rows - n_tokens < MOST_PADDING and n_rows % ROWS_PADDED_TO == 0


def match_tensors(
    state: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    *,
    where: Path,
    heads: Sequence[Mapping[str, tuple[int, ...]]] = (),
    extras: Sequence[str] = (),
) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return (the expected tensors in float32, the known extras left out); anything else is refused.

    Parameters
    ----------
    state
        What the file holds.
    expected
        Shape of every tensor that fixes the embedding.
    where
        The file, for the message.
    heads
        Shapes of the tensors of each head that the model can do without: it is there whole, or not at all.
    extras
        Beginnings of names that such files are known to carry and the model does not use.

    Raises
    ------
    UsageProblem
        Listing everything missing, misshapen, unknown, of another kind of numbers, or not finite.
    """
    expected = dict(expected)
    for head in heads:
        expected |= head if any(name in state for name in head) else {}
    found = [name for name in expected if name in state]
    left_out = [name for name in state if name not in expected]
    wrong = {
        "missing": [name for name in expected if name not in state],
        "misshapen": [
            f"{name} {tuple(state[name].shape)} for {expected[name]}"
            for name in found
            if tuple(state[name].shape) != expected[name]
        ],
        "not of 16, 32 or 64 bit floating point": [name for name in found if not _is_plain(state[name])],
        "unknown": [name for name in left_out if not name.startswith(tuple(extras))],
    }
    problems = [
        f"{len(names)} {what}: {', '.join(names[:10])}{', ...' if len(names) > 10 else ''}"
        for what, names in wrong.items()
        if names
    ]
    if problems:
        msg = f"{where} does not fit the model, nothing was loaded; {sentence('; '.join(problems))}"
        raise UsageProblem(msg)
    taken = {name: state[name].float().contiguous() for name in expected}  # networks read memory row after row
    if broken := [name for name, tensor in taken.items() if not tensor.isfinite().all()]:
        msg = f"{where} holds NaN or infinite numbers in {len(broken)} tensors: {sentence(', '.join(broken[:10]))}"
        raise UsageProblem(msg)
    return taken, tuple(sorted(left_out))


def _is_plain(tensor: torch.Tensor) -> bool:
    """Return whether a tensor's numbers are meant as they are, and not as steps of a scale kept elsewhere."""
    return tensor.is_floating_point() and tensor.element_size() > 1

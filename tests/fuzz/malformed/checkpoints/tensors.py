"""Faults of a checkpoint's tensors."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from malformed.checkpoints.fault import Effect, Fault, State
from malformed.checkpoints.tiny_models import saved, tensors_of
from malformed.harmful import Harmful

TENSORS: dict[str, Fault] = {}
UNUSED = ("cls4value", "to_out", "decoder", "mvc", "cls.", "binary_decoder")
LONGER = ("pe_embedding.weight", "pos_encoder.pe")  # of UCE, which needs some rows of them and minds no more


def of_tensors(do: Callable[[State, str, int], Effect]) -> None:
    """Add a fault that changes a state dict, of which the given name is one of its tensors."""

    def apply(path: Path, at: int, what: int, mark: Path) -> Effect:
        if path.suffix == ".npy":
            return _of_vectors(path, at, what, mark)
        content = path.read_bytes()
        whole = tensors_of(content)
        model = whole.get("cell", whole)  # scFoundation's file has several
        inner = next((model[key] for key in ("model_state_dict", "state_dict") if key in model), model)
        floats = [name for name, each in inner.items() if each.is_floating_point() and each.numel() > 1]
        used = [name for name in floats if not name.removeprefix("model.").startswith(UNUSED)]
        effect = do(inner, used[at % len(used)], what)
        _write(path, whole, as_safetensors=content[8:9] == b"{")
        return effect

    TENSORS[do.__name__] = apply


def _write(path: Path, whole: Any, *, as_safetensors: bool) -> None:
    """Write tensors in their format, or in PyTorch's where safetensors cannot hold them."""
    try:
        content = save(whole) if as_safetensors else saved(whole)
    except (ValueError, RuntimeError, KeyError, TypeError, AttributeError):
        path.unlink()
        path, content = path.with_name("pytorch_model.bin"), saved(whole)
    path.write_bytes(content)


def _of_vectors(path: Path, at: int, what: int, mark: Path) -> Effect:
    """Spoil a table of vectors, which is a plain array."""
    rows = np.load(path)
    place = at % len(rows)
    bad = rows.copy()
    bad[place, 0] = (np.nan, np.inf, 1e300)[what % 3]
    harm = np.array([[Harmful(str(mark))] * 2] * len(rows), dtype=object)
    made: list[tuple[Any, Effect]] = [
        (bad, "refused"), (rows[:-1], "refused"), (rows[:, :0], "refused"), (rows.T, "refused"), (rows[0], "refused"),
        (rows.astype("i8"), "refused"), (rows.astype(complex), "refused"), (rows.astype("f2"), "refused"),
        (np.asfortranarray(rows), "same"), (rows.astype(">f8"), "kept"), (harm, "refused"),
        (rows.astype("f4").astype("f8"), "same"),
    ]  # fmt: skip
    values, effect = made[what % len(made)]
    np.save(path, values, allow_pickle=True)
    return effect


@of_tensors
def missing(state: State, name: str, what: int) -> Effect:
    del state[name]
    return "refused"


@of_tensors
def renamed(state: State, name: str, what: int) -> Effect:
    state[name + (".x", "_", " ", "\n")[what % 4]] = state.pop(name)
    return "refused"


@of_tensors
def misshapen(state: State, name: str, what: int) -> Effect:
    old = state[name]
    new = (old[:-1], torch.cat([old, old[:1]]), old[None], old.flatten()[:0], old.flatten()[0], old[..., None])
    state[name] = new[what % len(new)].clone()
    return "same" if name in LONGER and what % len(new) == 1 else "refused"


@of_tensors
def other_numbers(state: State, name: str, what: int) -> Effect:
    kinds = (torch.int64, torch.int8, torch.bool, torch.complex64, torch.float64, torch.float16, torch.bfloat16)
    kinds += (torch.float8_e4m3fn, torch.uint8)
    kind = kinds[what % len(kinds)]
    state[name] = state[name].to(kind)
    if kind in (torch.float16, torch.bfloat16):
        return "finite"
    return "same" if kind is torch.float64 else "refused"


@of_tensors
def not_finite(state: State, name: str, what: int) -> Effect:
    state[name] = state[name].clone()
    state[name].view(-1)[what % state[name].numel()] = (np.nan, np.inf, -np.inf)[what % 3]
    return "refused"


@of_tensors
def huge(state: State, name: str, what: int) -> Effect:
    state[name] = state[name] * 1e38
    return "finite"


@of_tensors
def unknown(state: State, name: str, what: int) -> Effect:
    state[("stranger.weight", "stranger\nof two lines", "x" * 5000)[what % 3]] = torch.zeros(2)
    return "refused"


@of_tensors
def wrapped(state: State, name: str, what: int) -> Effect:
    wrapper = ("module.", "_orig_mod.", "module._orig_mod.")[what % 3]
    for each in list(state):
        state[wrapper + each] = state.pop(each)
    return "same"


@of_tensors
def shared_storage(state: State, name: str, what: int) -> Effect:
    old = state[name]
    room = torch.cat([torch.zeros(7), old.float().flatten(), torch.zeros(3)])
    state[name] = room[7 : 7 + old.numel()].view(old.shape)
    return "same"


@of_tensors
def strided(state: State, name: str, what: int) -> Effect:
    old = state[name]
    state[name] = torch.stack([old, old], dim=-1)[..., 0]
    return "same"


@of_tensors
def unusual(state: State, name: str, what: int) -> Effect:
    old = state[name]
    made: list[Callable[[], Any]] = [
        lambda: old.to_sparse(), lambda: old.to("meta"), lambda: old.tolist(), lambda: None, lambda: {"x": old},
        lambda: torch.quantize_per_tensor(old.float(), 0.1, 0, torch.qint8), lambda: "text", lambda: 3,
    ]  # fmt: skip
    state[name] = made[what % len(made)]()
    return "refused"


@of_tensors
def a_parameter(state: State, name: str, what: int) -> Effect:
    state[name] = torch.nn.Parameter(state[name])
    return "kept"


def of_model(do: Callable[[Path, Any, int, Path], Effect]) -> None:
    """Add a fault that writes the file of tensors anew."""

    def apply(path: Path, at: int, what: int, mark: Path) -> Effect:
        if path.suffix == ".npy":
            return _of_vectors(path, at, what, mark)
        whole = tensors_of(path.read_bytes())
        if path.suffix == ".safetensors":
            path.unlink()
            path = path.with_name("pytorch_model.bin")
        return do(path, whole, what, mark)

    TENSORS[do.__name__] = apply


@of_model
def in_the_old_format(path: Path, whole: Any, what: int, mark: Path) -> Effect:
    path.write_bytes(saved(whole, _use_new_zipfile_serialization=False))
    return "same"


@of_model
def something_else(path: Path, whole: Any, what: int, mark: Path) -> Effect:
    made = ([], {}, None, torch.zeros(3), list(whole.values()), {1: torch.zeros(2)}, {"state_dict": 3}, "text")
    path.write_bytes(saved(made[what % len(made)]))
    return "refused"


@of_model
def executing(path: Path, whole: Any, what: int, mark: Path) -> Effect:
    harm = Harmful(str(mark))
    made = (lambda: saved({**whole, "x": harm}), lambda: pickle.dumps(harm), lambda: saved(harm))
    path.write_bytes(made[what % 3]())
    return "refused"

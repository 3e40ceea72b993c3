"""Faults of checkpoints: in their tensors, their lists of genes and settings, and their files as a whole."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import torch
from safetensors.torch import save

from malformed.embeddings import Harmful
from malformed.tiny_models import saved, tensors_of

# the sound one's rows; these or a refusal; a refusal; rows that are finite, or a refusal
Effect = Literal["same", "kept", "refused", "finite"]
Fault = Callable[[Path, int, int, Path], Effect]
TENSORS: dict[str, Fault] = {}
TABLES: dict[str, Fault] = {}
FILES: dict[str, Callable[[Path, int], Effect]] = {}
State = dict[str, Any]


def of_tensors(do: Callable[[State, str, int], Effect]) -> None:
    """Add a fault that changes a state dict, of which the given name is one of its tensors."""

    def apply(path: Path, at: int, what: int, mark: Path) -> Effect:
        if path.suffix == ".npy":
            return _of_vectors(path, at, what, mark)
        content = path.read_bytes()
        whole = tensors_of(content)
        inner = next((whole[key] for key in ("model_state_dict", "state_dict") if key in whole), whole)
        floats = [name for name, each in inner.items() if each.is_floating_point() and each.numel() > 1]
        used = [name for name in floats if not name.startswith(("cls4value", "to_out", "decoder", "mvc", "cls."))]
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
    return "refused"


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


def of_table(do: Callable[[Any, str, int, Path], Any]) -> None:
    """Add a fault that changes a JSON, a pickle or a list of genes; of an HDF5 file, its list of names."""

    def apply(path: Path, at: int, what: int, mark: Path) -> Effect:
        if path.suffix == ".h5ad":
            return _of_names(path, at, what)
        if path.suffix == ".tsv":
            return _of_lines(path, at, what)
        content = path.read_bytes()
        is_json = path.suffix == ".json"
        table = json.loads(content) if is_json else pickle.loads(content)
        name = list(table)[at % len(table)]
        changed = do(table, name, what, mark)
        strange = isinstance(changed, bytes)
        path.write_bytes(changed if strange else json.dumps(changed).encode() if is_json else pickle.dumps(changed))
        return "refused" if strange and changed != NO_ENTRIES else "finite"

    TABLES[do.__name__] = apply


def _of_lines(path: Path, at: int, what: int) -> Effect:
    lines = path.read_text().splitlines()
    place = at % len(lines)
    made = ([*lines, "MORE"], lines[:place], [*lines[:place], lines[0], *lines[place:]], [], ["\t"], ["\0" * 9])
    path.write_text("\n".join(made[what % len(made)]))
    return "refused"


def _of_names(path: Path, at: int, what: int) -> Effect:
    with h5py.File(path, "r+") as file:
        names = file["var/_index"].asstr()[...].tolist()
        place = at % (len(names) - 1)
        made = (names[:-1], [*names, "MORE"], [*names[:place], names[-1], *names[place + 1 :]], [])
        del file["var/_index"]
        file["var/_index"] = np.array(made[what % 4], dtype=h5py.string_dtype())
    return "refused"


NO_ENTRIES = b"\x80\x04}."
ODD = (None, True, -1, 0, 1.5, float("nan"), float("inf"), 10**400, "text", "", [], {}, 10**9, -0.5, "x" * 5000, "a\nb")


@of_table
def other_value(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, name: ODD[what % len(ODD)]}


@of_table
def value_twice(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, name: list(table.values())[what % len(table)]}


@of_table
def entry_gone(table: Any, name: str, what: int, mark: Path) -> Any:
    return {each: value for each, value in table.items() if each != name}


@of_table
def entry_more(table: Any, name: str, what: int, mark: Path) -> Any:
    return {**table, ("STRANGER", "", "a\nb", "x" * 5000)[what % 4]: ODD[what % len(ODD)]}


@of_table
def no_table(table: Any, name: str, what: int, mark: Path) -> Any:
    deep = b"[" * 50_000
    made = (b"", b"null", b"[]", b"3", b"\xff\xfe", b'{"a":' * 20_000, deep, b"{", b"\x80\x04N.", NO_ENTRIES)
    return made[what % len(made)]


@of_table
def executing_table(table: Any, name: str, what: int, mark: Path) -> Any:
    harm = Harmful(str(mark))
    stream = BytesIO()
    pickle.dump((harm, {**table, name: harm}, {harm: 1})[what % 2], stream)
    return stream.getvalue()


def of_file(do: Callable[[Path, int], Effect]) -> None:
    FILES[do.__name__] = do


@of_file
def cut_off(path: Path, what: int) -> Effect:
    content = path.read_bytes()
    path.write_bytes(content[: what % len(content)])
    return "finite" if path.suffix == ".tsv" else "refused"


@of_file
def gone(path: Path, what: int) -> Effect:
    path.unlink()
    return "refused"


@of_file
def a_folder(path: Path, what: int) -> Effect:
    path.unlink()
    path.mkdir()
    return "refused"


@of_file
def a_link(path: Path, what: int) -> Effect:
    if what % 2:
        path.unlink()
        path.symlink_to(path)
        return "refused"
    target = path.with_name(path.name + ".elsewhere")
    path.rename(target)
    path.symlink_to(target)
    return "same"


@of_file
def of_another_kind(path: Path, what: int) -> Effect:
    path.write_bytes((b"text\n", b"\0" * 100, b"PK\x05\x06" + b"\0" * 18, b"\x89HDF\r\n\x1a\n", b"{}")[what % 5])
    return "refused"

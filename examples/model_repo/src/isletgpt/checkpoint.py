"""Checkpoint: weights, the vocabulary they belong to, and what they were pretrained on, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

from isletgpt.model import Network, Shape


@dataclass(frozen=True)
class Record:
    """What the weights were made of."""

    dataset: str
    donors: list[str]
    n_cells: int
    seed: int
    steps: int
    seconds: float
    loss: float


@dataclass(frozen=True)
class Checkpoint:
    """A network with its vocabulary, Ensembl ids, and its record."""

    network: Network
    vocabulary: tuple[str, ...]
    record: Record


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {
        "shape": asdict(checkpoint.network.shape),
        "vocabulary": checkpoint.vocabulary,
        "record": asdict(checkpoint.record),
    }
    save_file(checkpoint.network.state_dict(), path, {key: json.dumps(value) for key, value in about.items()})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises
    ------
    FileNotFoundError
        If there is none; the message names the command that makes one.
    """
    if not path.exists():
        msg = f"there is no {path}: python -m isletgpt.pretrain --out {path}"
        raise FileNotFoundError(msg)
    with safe_open(path, "pt") as file:
        about = {key: json.loads(value) for key, value in file.metadata().items()}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no mapping)
    network = Network(Shape(**about["shape"]))
    network.load_state_dict(state)
    return Checkpoint(network.eval(), tuple(about["vocabulary"]), Record(**about["record"]))


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()

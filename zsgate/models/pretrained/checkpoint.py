"""Checkpoint: a published model, where its files are and what is known of it; family: those that one loader reads."""

from __future__ import annotations

from dataclasses import dataclass, field

HUB = "https://huggingface.co"
DRIVE = "https://drive.google.com/drive/folders"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFile:
    """One file of a checkpoint.

    Attributes
    ----------
    name
        Name in the folder a user gives, and in the cache.
    url
        Where it is downloaded from; None where the official place offers no direct link.
    sha256
        Published digest; None where no source states one.
    n_bytes
        Published size; None where no source states one.
    read_in
        Where digest and size were read; None where there is no digest.
    """

    name: str
    url: str | None = None
    sha256: str | None = None
    n_bytes: int | None = None
    read_in: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A published model.

    Attributes
    ----------
    name
        What ``--model`` calls it.
    family
        Name of the family whose loader reads it.
    files
        All files it needs.
    page
        Where a person finds them.
    citation, code_licence, weights_licence
        As the report states them.
    pretraining
        Names of datasets documented to be in the pretraining data; None is unknown, never "none".
    notes
        Remarks for the report.
    own
        Whether these are somebody's own weights, of which nothing is published.
    """

    name: str
    family: str
    files: tuple[WeightFile, ...]
    page: str
    citation: str
    code_licence: str
    weights_licence: str
    pretraining: tuple[str, ...] | None = None
    notes: tuple[str, ...] = field(default=())
    own: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """What a test shows of a family, here and now.

    Attributes
    ----------
    tokens
        The tokens equal those of the authors' code, on the published vocabularies.
    forward
        The forward pass equals that of the authors' code, on random weights of the published shape.
    end_to_end
        A checkpoint of random weights runs through the whole gate, and loses.
    published
        The published weights have been run.
    """

    tokens: bool = False
    forward: bool = False
    end_to_end: bool = False
    published: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that one loader reads, ``zsgate.models.families.NAME.load:load``.

    Attributes
    ----------
    name
        What ``--model`` calls weights of one's own, and the folder of its code.
    own
        The files that such weights consist of.
    checkpoints
        What is published.
    verified
        What a test shows of it.
    presets
        Preparations of cells that its loader knows: the authors' own, and for some that of Kedzierska et al.
    """

    name: str
    own: tuple[WeightFile, ...]
    checkpoints: tuple[Checkpoint, ...]
    verified: Verified = Verified()
    presets: tuple[str, ...] = ("official",)

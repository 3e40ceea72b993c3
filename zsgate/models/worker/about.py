"""About: what a worker says of its model before it is asked for anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self, cast

from zsgate.errors import UsageProblem
from zsgate.models.adapter import ModelInfo
from zsgate.models.reconstruction import SCALES, Scale
from zsgate.models.worker.zsgate_worker import PROTOCOL

CAN = ("embed", "random_init", "reconstruct", "targets", "coverage", "check")
KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "fingerprint": (str, type(None)),
    "device": (str, type(None)),
    "needs_batches": (bool,),
    "independent_cells": (bool,),
    "stochastic": (bool,),
    "trains_on_target": (bool,),
    "dimensions": (int, type(None)),
    "draws": (int,),
    "gene_ids": (str,),
    "citation": (str,),
    "code_licence": (str,),
    "weights_licence": (str,),
    "scale": (str, type(None)),
    "cannot_hide": (str,),
    "reads_file": (bool,),
    "reads_any_name": (bool,),
}
# what is said in pyproject.toml of a model whose command embeds one file and ends
DECLARED = ("fingerprint", "independent_cells", "stochastic", "needs_batches", "draws", "dimensions")
LISTS = ("can", "heads", "notes", "weights", "pretraining")


@dataclass(frozen=True, slots=True)
class About:
    """What a worker says of its model.

    Attributes
    ----------
    info
        The model's card.
    can
        What it can be asked: of :data:`CAN`.
    fingerprint
        As of an adapter.
    device
        Where it says that it runs; None where it does not say.
    needs_batches
        Whether it is to be given the cells' batches.
    draws
        How often it is to embed, for the mean over chance.
    scale, heads, cannot_hide
        Of its predictions, as of an adapter.
    reads_file
        Whether it reads what a file has in X beside the counts.
    reads_any_name
        Whether it makes something of any gene's name.
    """

    info: ModelInfo
    can: frozenset[str]
    fingerprint: str | None = None
    device: str | None = None
    needs_batches: bool = False
    draws: int = 1
    scale: Scale | None = None
    heads: tuple[str, ...] = ()
    cannot_hide: str = ""
    reads_file: bool = False
    reads_any_name: bool = False

    @classmethod
    def of(cls, hello: Mapping[str, Any], name: str) -> Self:
        """Return what a worker said.

        Parameters
        ----------
        hello
            The message.
        name
            What ``--model`` calls the model, for one that has no name of its own.

        Raises
        ------
        UsageProblem
            If it speaks another protocol, or says what cannot be read.
        """
        _refuse(hello, name)
        known = {each.name for each in fields(ModelInfo)}
        card = {key: _tuples(value) for key, value in hello.items() if key in known and value is not None}
        rest = {key: _tuples(hello[key]) for key in ("fingerprint", "device", "cannot_hide") if key in hello}
        rest |= {key: hello[key] for key in ("needs_batches", "draws", "reads_file", "reads_any_name") if key in hello}
        scale = cast("Scale | None", hello.get("scale"))
        heads = tuple(hello.get("heads", ("gep",))) if scale else ()
        can = frozenset(hello.get("can", ("embed",)))
        return cls(replace(ModelInfo(name=name), **card), can, scale=scale, heads=heads, **rest)


def _refuse(hello: Mapping[str, Any], name: str) -> None:
    """Refuse what cannot be read, in one sentence."""
    wrong = [
        f"{key} is {str(hello[key])[:60]!r}"
        for key, kinds in KINDS.items()
        if key in hello and (not isinstance(hello[key], kinds) or (bool not in kinds and isinstance(hello[key], bool)))
    ]
    wrong += [f"{key} is {str(hello[key])[:60]!r}" for key in LISTS if not _is_list(key, hello.get(key))]
    if hello.get("protocol") != PROTOCOL:
        wrong = [f"it speaks protocol {hello.get('protocol')!r}, zsgate speaks {PROTOCOL}"]
    elif not wrong:
        scale, can = hello.get("scale"), hello.get("can", [])
        if "reconstruct" in can and scale not in SCALES:
            wrong.append(f"it has reconstruct, so scale must be one of {', '.join(SCALES)}, not {scale!r}")
        if "reconstruct" in can and scale == "bin" and "targets" not in can and hello.get("foreign", True):
            wrong.append("its bins are its own, so beside reconstruct it must have targets, the bins of whole cells")
        if hello.get("draws", 1) < 1:
            wrong.append("draws must be from 1 on")
    if wrong:
        msg = f"--model {name}: its worker says what cannot be used: {'; '.join(wrong)}"
        raise UsageProblem(msg)


def _is_list(key: str, value: Any) -> bool:
    """Return whether a value is a list of texts; that of ``weights`` is one of names with their digest or None."""
    if key == "weights" and isinstance(value, list):
        pairs = [each for each in value if isinstance(each, list) and len(each) == 2]
        names, digests = [name for name, _ in pairs], [digest for _, digest in pairs if digest is not None]
        return len(pairs) == len(value) and _is_list("", names) and _is_list("", digests)
    return value is None or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

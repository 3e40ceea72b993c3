"""Geneformer's gene dictionaries: read once through a restricted unpickler, kept as JSON."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zsgate.errors import UsageProblem, sentence
from zsgate.system.files import sha256_of
from zsgate.system.sources import code_of
from zsgate.system.store import Store

PAD, MASK, CLS, EOS = "<pad>", "<mask>", "<cls>", "<eos>"
PLAIN = (int, float, str)  # what values of a dictionary of genes may be


class _PlainUnpickler(pickle.Unpickler):
    """Reads builtin containers and NumPy scalars; anything else is refused before it is called."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = {
            ("numpy.core.multiarray", "scalar"): np._core.multiarray.scalar,  # type: ignore[attr-defined]
            ("numpy._core.multiarray", "scalar"): np._core.multiarray.scalar,  # type: ignore[attr-defined]
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in allowed:
            msg = f"{module}.{name} has no place in a dictionary of genes; nothing was executed"
            raise pickle.UnpicklingError(msg)
        return allowed[module, name]


def read_dictionary(path: Path, kinds: tuple[type, ...] = PLAIN) -> dict[str, Any]:
    """Return the dictionary in a ``.pkl`` or ``.json`` file as builtins.

    Parameters
    ----------
    path
        The file.
    kinds
        What its values may be.

    Raises
    ------
    UsageProblem
        If the file is damaged, holds anything but a flat dictionary of such values, or would run code.
    """
    content = path.read_bytes()
    try:
        found = json.loads(content) if path.suffix == ".json" else _PlainUnpickler(io.BytesIO(content)).load()
        if not isinstance(found, dict):
            msg = f"it holds a {type(found).__name__}"
            raise TypeError(msg)
        plain = {str(key): value.item() if isinstance(value, np.generic) else value for key, value in found.items()}
        strange = [key for key, value in plain.items() if type(value) not in kinds]
        if strange:
            msg = f"the value of {strange[0]!r} is a {type(plain[strange[0]]).__name__}"
            raise TypeError(msg)
        return plain
    except Exception as error:  # the boundary to pickle and JSON: a damaged file fails in any way
        msg = f"{path} is not a readable dictionary of genes: {sentence(str(error))}"
        raise UsageProblem(msg) from error


def read_through_json(path: Path, cache: Path, kinds: tuple[type, ...] = PLAIN) -> dict[str, Any]:
    """Return the dictionary in ``path``; a pickle is converted once and then read from ``cache``.

    The copy is kept under the pickle's SHA-256, so that an altered file is never mistaken for it. ``kinds`` is what
    :func:`read_dictionary` takes, and raises as that does.
    """
    if path.suffix == ".json":
        return read_dictionary(path, kinds)
    key = {"dictionary": path.stem, "sha256": sha256_of(path), "code": code_of(__name__)}
    return dict(Store(cache).json("dictionaries", key, lambda: read_dictionary(path, kinds)))


@dataclass(frozen=True)
class GeneDictionary:
    """What Geneformer knows of genes.

    Attributes
    ----------
    tokens
        ``{Ensembl id or special token: token}``.
    medians
        ``{Ensembl id: non-zero median of its normalised expression in the pretraining corpus}``.
    aliases
        ``{upper-case Ensembl id or symbol: Ensembl id}``, upstream's collapsing of ids.
    names
        ``{gene symbol: Ensembl id}``.
    """

    tokens: Mapping[str, int]
    medians: Mapping[str, float]
    aliases: Mapping[str, str]
    names: Mapping[str, str]

    @cached_property
    def has_special(self) -> bool:
        """Whether cells are framed by class and end tokens (V2)."""
        return CLS in self.tokens and EOS in self.tokens

    @cached_property
    def median_of_token(self) -> npt.NDArray[np.float64]:
        """Median of each token's gene, float64 (n_tokens,); NaN for special tokens."""
        medians = np.full(max(self.tokens.values()) + 1, np.nan)
        for gene, token in self.tokens.items():
            medians[token] = self.medians.get(gene, np.nan)
        return medians

    def columns(self, ensembl: npt.NDArray[np.str_] | None, symbols: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
        """Return the token of each gene, by Ensembl id, or by symbol where there are no ids; -1: none."""
        if ensembl is None:
            genes = [self.names.get(symbol, "") for symbol in symbols.tolist()]
        else:
            versionless = [gene.upper().split(".")[0] for gene in ensembl.tolist()]
            genes = [self.aliases.get(gene, "") for gene in versionless]
        return np.array([self.tokens.get(gene, -1) for gene in genes], dtype=np.int32)


def check_dictionary(genes: GeneDictionary, vocab_size: int, where: str = "the dictionaries") -> None:
    """Raise UsageProblem, which names ``where``, unless the dictionary fits a model with ``vocab_size`` tokens."""
    if len(genes.tokens) != vocab_size:
        msg = (
            f"{where}: the token dictionary has {len(genes.tokens):,} tokens, the model {vocab_size:,}: V1 weights "
            "(25,426 tokens) go with the gc30M dictionaries, V2 weights (20,275) with gc104M"
        )
        raise UsageProblem(msg)
    if sorted(genes.tokens.values()) != list(range(vocab_size)):
        msg = f"{where}: the token dictionary does not number its tokens 0, 1, 2, ..."
        raise UsageProblem(msg)
    special = {PAD, MASK, CLS, EOS}
    strange = [gene for gene in genes.tokens if gene not in special and not 0 < genes.medians.get(gene, 0) < np.inf]
    if strange or not {PAD, MASK} <= genes.tokens.keys():
        shown = sentence(str(strange[:10]))
        msg = f"{where}: the median dictionary lacks {len(strange)} of the genes in the token dictionary: {shown}"
        raise UsageProblem(msg)

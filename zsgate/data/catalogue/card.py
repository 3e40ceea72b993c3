"""Card: what is known of a dataset before it is opened, and of the files it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zsgate.data.annotations import Columns
from zsgate.data.leakage.exposure import Status


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A public file.

    Attributes
    ----------
    name
        Name in the cache and in a mirror.
    url
        Where it is published, or None if it comes with a package.
    package
        The Python package that carries it, or None.
    sha256
        Digest that ``read_in`` states. None where none is published: it is noted at the first download, and the file
        must not change after that.
    n_bytes
        Published size in bytes, or None.
    read_in
        Where digest and size are stated.
    """

    name: str
    url: str | None = None
    package: str | None = None
    sha256: str | None = None
    n_bytes: int | None = None
    read_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A dataset of the catalogue.

    Attributes
    ----------
    name
        Name in test ids.
    files
        What it is made of.
    builder
        Name of the function in :mod:`zsgate.data.catalogue.builders` that makes a Dataset of the files.
    columns
        Where the file keeps labels, batches, donors and counts.
    n_cells, n_labels, n_batches
        As published; None where they are not stated. With one batch there is no batch score to test.
    scope
        ``"cells"`` where no donors are known: verdicts speak for these donors only.
    quick
        Number of cells to draw, in proportion to donor and cell type; None takes all.
    source, licence, citation, notes
        For the report.
    exposure
        Which models saw it in pretraining: name of a model to ``("seen" or "not seen", who says so)``. Of other models
        it is not known.
    """

    name: str
    files: tuple[File, ...]
    columns: Columns
    builder: str = "one_file"
    n_cells: int | None = None
    n_labels: int | None = None
    n_batches: int | None = None
    scope: str = "donors"
    quick: int | None = None
    source: str
    licence: str
    citation: str
    notes: tuple[str, ...] = ()
    exposure: Mapping[str, tuple[Status, str]] = field(default_factory=dict)

    @property
    def facts(self) -> dict[str, object]:
        """What the report says of it."""
        return {"source": self.source, "licence": self.licence, "citation": self.citation, "notes": self.notes}

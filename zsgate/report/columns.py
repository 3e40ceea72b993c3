"""Columns of the tables of verdicts and of gene coverage: each stands here once, with its heading and its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from markupsafe import Markup

from zsgate.report.record.dataset import CoverageRecord
from zsgate.report.record.verdict import VerdictRecord
from zsgate.report.words import chance, interval, number, percent, portion, signed, units, whole

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """One column of a table.

    Attributes
    ----------
    label
        Its heading.
    value
        What a row has there, in words.
    kind
        ``name`` heads the row, ``outcome`` is drawn with its mark, ``number`` is set flush right.
    narrow
        The heading on a narrow screen and in Markdown, where it is another.
    explained
        What the page says of it under "How to read this"; empty where the heading says enough.
    """

    label: str
    value: Callable[[Row], str]
    kind: Literal["name", "text", "outcome", "number"] = "number"
    narrow: str = ""
    explained: str = ""

    @property
    def plain(self) -> str:
        """The heading without markup, the narrow one where there is one."""
        return self.narrow or Markup(self.label).striptags()


@dataclass(frozen=True, slots=True)
class TableSpec(Generic[Row]):
    """The columns of a table, from left to right."""

    columns: tuple[Column[Row], ...]

    @property
    def width(self) -> int:
        """Number of columns, for a cell that spans them all."""
        return len(self.columns)

    def only(self, *names: str) -> list[Column[Row]]:
        """Return the columns of these plain headings, in that order."""
        by_name = {column.plain: column for column in self.columns}
        return [by_name[name] for name in names]


P = Markup("<i>p</i>")
P_HOLM = Markup("<i>p</i> Holm")


def verdict_table(level: float = 0.9) -> TableSpec[VerdictRecord]:
    """Return the columns of the table of verdicts.

    Parameters
    ----------
    level
        Confidence of the intervals.
    """
    return TableSpec(
        (
            Column("metric", lambda v: v.metric, "name"),
            Column("against", lambda v: v.baseline, "text"),
            Column("outcome", lambda v: v.outcome.value, "outcome"),
            Column("ours", lambda v: number(v.ours)),
            Column("theirs", lambda v: number(v.theirs)),
            Column("difference", lambda v: signed(v.difference)),
            Column(
                "donors weighted equally",
                lambda v: signed(v.balanced),
                narrow="equal donors",
                explained="the difference if every donor weighed the same, however many cells it has",
            ),
            Column(f"{100 * level:g} % interval", lambda v: interval(v.interval), narrow="interval"),
            Column("units", units),
            Column(
                "seeds",
                lambda v: f"{v.seeds.ours} / {v.seeds.theirs}",
                explained="draws averaged on our side / on theirs",
            ),
            Column(
                P,
                lambda v: chance(v.p),
                explained="one-sided, that ours is not better by more than the margin (policy noninferior: that it is "
                "worse by the margin)",
            ),
            Column(
                P_HOLM,
                lambda v: chance(v.p_holm),
                explained="the same adjusted (Holm 1979) over all tests against that baseline in this run, for whoever "
                "reads one baseline's rows as one claim",
            ),
            Column(
                "found at 80 % power",
                lambda v: number(v.detectable),
                explained="the true difference that this test would find four times in five",
            ),
        )
    )


COVERAGE: TableSpec[CoverageRecord] = TableSpec(
    (
        Column("model", lambda c: c.model, "name"),
        Column("asked by", lambda c: "Ensembl id" if c.gene_ids == "ensembl" else "gene symbol", "text"),
        Column("genes known", lambda c: portion(c.n_mapped, c.n_genes)),
        Column("of a cell's counts", lambda c: percent(c.share_counts), narrow="of counts"),
        Column("in 95 % of cells at least", lambda c: percent(c.share_counts_low), narrow="in 95 % of cells"),
        Column("vocabulary", lambda c: whole(c.n_vocabulary)),
        Column("with a version", lambda c: whole(c.versioned)),
        Column("sharing a token", lambda c: whole(c.shared)),
    )
)

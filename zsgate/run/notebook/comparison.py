"""Comparison: what a judged embedding comes to, as a notebook shows it and as the gate's page and verdict.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zsgate.errors import UsageProblem
from zsgate.report.record import GateState, Record, VerdictRecord
from zsgate.report.sentence import headline
from zsgate.system.files import replaced_whole

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

Kind = Literal["forest", "table"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Verdicts on one embedding; true if every verdict that decides passed and nothing is missing or unsure.

    Attributes
    ----------
    record
        Everything that was found, typed, as verdict.json holds it.
    """

    record: Record = field(repr=False)

    def __bool__(self) -> bool:
        """Return whether the embedding passed, as the exit code 0 of a run says it."""
        return self.record.gate is GateState.PASSED and self.record.provenance.exit_code == 0

    def __repr__(self) -> str:
        """Return the state and the sentence why."""
        return f"<Comparison {self.record.gate}: {self.headline}>"

    def _repr_html_(self) -> str:
        """Return a table of the verdicts for a notebook, every value escaped."""
        from zsgate.run.notebook.inline import inline

        return inline(self.record)

    @property
    def headline(self) -> str:
        """The one sentence that says how the embedding stands and why."""
        return headline(self.record)

    @property
    def verdicts(self) -> tuple[VerdictRecord, ...]:
        """The verdicts, typed."""
        return self.record.verdicts

    def to_frame(self) -> pd.DataFrame:
        """Return a row for each verdict, in the words of verdict.json; the ends of ``ci`` stand in two columns."""
        import pandas as pd

        rows = [{name: _cell(verdict, name) for name in COLUMNS} for verdict in self.record.verdicts]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def plot(self, kind: Kind = "forest") -> Figure:
        """Return a figure of matplotlib.

        Parameters
        ----------
        kind
            ``"forest"``: the differences with their intervals, by metric and baseline; ``"table"``: the scores of
            everybody by every metric.

        Raises
        ------
        UsageProblem
            If the kind is unknown, nothing was judged, or matplotlib is not installed.
        """
        from zsgate.run.notebook.plots import drawn

        return drawn(self.record, kind)

    def plot_table(self) -> Figure:
        """Return the table of scores as a figure: ``plot(kind="table")``."""
        return self.plot("table")

    def save(self, path: str | Path) -> Path:
        """Write the gate's page to a path that ends in .html, or its verdict.json to one that ends in .json.

        Returns
        -------
        Where it was written.

        Raises
        ------
        UsageProblem
            If the path ends otherwise.
        """
        where = Path(path).expanduser()
        if where.suffix not in (".html", ".json"):
            msg = f"save {where}: a page ends in .html, a verdict.json in .json"
            raise UsageProblem(msg)
        if where.suffix == ".json":
            text = self.record.to_json()
        else:
            from zsgate.report.page.html import render

            text = render(self.record)
        with replaced_whole(where) as part:
            part.write_text(text, encoding="utf-8")
        return where


COLUMNS = (
    *("model", "dataset", "metric", "baseline", "ours", "theirs", "difference", "ci_low", "ci_high", "level"),
    *("unit", "n_units", "p", "p_holm", "outcome", "passed", "advisory", "reason", "sentence"),
)


def _cell(verdict: VerdictRecord, name: str) -> object:
    """Return a verdict's entry in a column; None where there is no interval."""
    if name in ("ci_low", "ci_high"):
        return None if verdict.interval is None else verdict.interval[name == "ci_high"]
    value = getattr(verdict, name)
    return value.value if name == "outcome" else value

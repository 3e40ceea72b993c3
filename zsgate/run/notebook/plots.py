"""Plots: a forest of differences and a table of scores, as figures of matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zsgate.errors import UsageProblem, unknown
from zsgate.metrics import EVERY
from zsgate.report.record import Outcome, Record, VerdictRecord
from zsgate.report.words import distinct, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {Outcome.BEATS: "#2a8c4a", Outcome.LOSES: "#d0453a", Outcome.INCONCLUSIVE: "#b07a12"}
MARKS = {Outcome.BEATS: "^", Outcome.LOSES: "v", Outcome.INCONCLUSIVE: "D"}  # told apart without colours, too
ROW, WIDTH = 0.28, 7.0  # inches


def drawn(record: Record, kind: str) -> Figure:
    """Return the figure of this kind, which no display is needed for; raises as ``Comparison.plot`` says."""
    if kind not in KINDS:
        raise UsageProblem(unknown("kind of plot", kind, tuple(KINDS)))
    if all(verdict.difference is None for verdict in record.verdicts):
        msg = "no difference is known, so there is nothing to plot"
        raise UsageProblem(msg)
    try:
        from matplotlib.figure import Figure  # noqa: F401
    except ImportError:
        msg = "plots need matplotlib: pip install matplotlib"
        raise UsageProblem(msg) from None
    return KINDS[kind](record)


def forest(record: Record) -> Figure:
    """Return a panel for each metric, a line for each baseline: the difference and its interval."""
    from matplotlib.figure import Figure

    shown = [verdict for verdict in record.verdicts if verdict.difference is not None]
    metrics = distinct(verdict.metric for verdict in shown)
    groups = [[verdict for verdict in shown if verdict.metric == metric] for metric in metrics]
    sizes = [len(group) for group in groups]
    height = ROW * (sum(sizes) + 1.5 * len(sizes)) + 0.8
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    panels = figure.subplots(len(groups), 1, squeeze=False, gridspec_kw={"height_ratios": [n + 0.5 for n in sizes]})
    for axes, group in zip(panels[:, 0], groups, strict=True):
        _panel(axes, group)
    panels[-1, 0].set_xlabel(f"{record.model} less the baseline, {100 * shown[0].level:g} % interval")
    return figure


def _panel(axes: Axes, group: list[VerdictRecord]) -> None:
    axes.axvline(0.0, color="0.5", linewidth=0.8)
    for place, verdict in enumerate(group):
        colour, at = COLOURS[verdict.outcome], verdict.difference or 0.0  # only those that have one are here
        if verdict.interval is not None:
            axes.plot(verdict.interval, (place, place), color=colour, linewidth=1.5, gid="interval")
        filled = "none" if verdict.advisory else colour
        axes.plot([at], [place], MARKS[verdict.outcome], color=colour, markerfacecolor=filled, gid="difference")
    names = [f"{verdict.baseline}{' (advisory)' if verdict.advisory else ''}" for verdict in group]
    axes.set_yticks(range(len(group)), [_plain(name) for name in names])
    axes.set_ylim(len(group) - 0.5, -0.5)
    axes.set_title(_plain(group[0].metric), loc="left", fontsize="medium")
    axes.spines[["top", "right"]].set_visible(False)


def table(record: Record) -> Figure:
    """Return the scores of the embedding and of what it is compared with, by metric; the best of each is darkest."""
    from matplotlib.figure import Figure

    metrics = distinct(verdict.metric for verdict in record.verdicts)
    scores = scores_of(record)
    figure = Figure(figsize=(max(WIDTH, 1.6 + 1.1 * len(metrics)), ROW * (len(scores) + 2) + 0.6), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    cells = [[number(row.get(metric)) for metric in metrics] for row in scores.values()]
    drawn_table = axes.table(
        cellText=cells,
        rowLabels=[_plain(name) for name in scores],
        colLabels=[_plain(metric) for metric in metrics],
        cellColours=[[_shade(scores, name, metric) for metric in metrics] for name in scores],
        cellLoc="center",
        loc="center",
    )
    drawn_table.scale(1.0, 1.4)
    return figure


def scores_of(record: Record) -> dict[str, dict[str, float | None]]:
    """Return the score of everybody by each metric, the embedding that is judged first."""
    found: dict[str, dict[str, float | None]] = {record.model: {}}
    for verdict in record.verdicts:
        found[record.model][verdict.metric] = verdict.ours
        found.setdefault(verdict.baseline, {})[verdict.metric] = verdict.theirs
    return found


def _shade(scores: dict[str, dict[str, float | None]], name: str, metric: str) -> tuple[float, float, float]:
    """Return the colour of a cell: white for the worst score by the metric, blue for the best."""
    known = [value for row in scores.values() if (value := row.get(metric)) is not None]
    value = scores[name].get(metric)
    if value is None or min(known) == max(known):
        return 1.0, 1.0, 1.0
    share = (value - min(known)) / (max(known) - min(known))
    share = share if metric not in EVERY or EVERY[metric].higher_is_better else 1 - share
    return 1 - 0.45 * share, 1 - 0.25 * share, 1.0


def _plain(name: str) -> str:
    """Return a name as matplotlib shows it and does not take it for a formula."""
    return name.replace("$", r"\$")


KINDS = {"forest": forest, "table": table}

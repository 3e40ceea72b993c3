"""Draw the calibration: false passes of every setting, and the power of the verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COLOURS = {
    "asw": "#0072b2",
    "nmi": "#e69f00",
    "ari": "#cc79a7",
    "avg_bio": "#d55e00",
    "knn_mixing": "#009e73",
    "knn_purity": "#000000",
    "batch_score": "#56b4e9",
}


def draw(results: dict[str, dict[str, Any]], path: Path) -> None:
    """Write an SVG: left the rates with their intervals, right the power over the true difference.

    Parameters
    ----------
    results
        By setting and metric, as ``benchmarks.calibration`` keeps them.
    path
        Where to write.
    """
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.fonttype": "none", "font.size": 8, "axes.spines.top": False, "axes.spines.right": False})
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 0.8 + 0.75 * len(results)), width_ratios=(3, 2))
    for row, metrics in enumerate(results.values()):
        for place, (metric, found) in enumerate(metrics.items()):
            y = row + (place - 3) * 0.12
            ours = found["rules"]["zsgate"]
            left.plot([100 * end for end in ours["members"]], [y, y], color=COLOURS[metric], lw=1)
            left.plot(100 * ours["rate"], y, "o", ms=4, color=COLOURS[metric], label=None if row else metric)
            for rule, mark in (("conditional jackknife", "x"), ("cells alone", "+")):
                if rule in found["rules"]:
                    label = rule if row == 0 and metric == "asw" else None
                    left.plot(100 * found["rules"][rule]["rate"], y, mark, ms=4, color="#999999", label=label)
    left.axvline(5, color="black", lw=0.7, ls=":")
    left.set(yticks=range(len(results)), yticklabels=list(results), xlabel="false passes, % (nominal 5, dotted)")
    left.invert_yaxis()
    left.legend(frameon=False, loc="lower right")
    chosen = next((name for name in results if "noise scales 0.5" in name), next(iter(results)))
    for metric, found in results[chosen].items():
        steps, power = found["power"]
        right.plot(steps, [100 * share for share in power], color=COLOURS[metric], lw=1.2)
    right.axhline(80, color="black", lw=0.7, ls=":")
    right.set(xlabel=f"true difference ({chosen})", ylabel="found, %", ylim=(0, 100), xlim=(0, None))
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

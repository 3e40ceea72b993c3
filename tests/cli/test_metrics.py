"""``zsgate metrics``: every metric is listed, and a card says which way is better and how it fails."""

from __future__ import annotations

from zsgate.cli import main
from zsgate.metrics import EVERY


def test_every_metric_is_listed_with_its_role(capsys):
    """Name, role and what it is, one a line."""
    assert main(["metrics", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(EVERY)
    assert "decides" in lines[0]
    assert "on request" in next(line for line in lines if line.startswith("kbet"))


def test_a_card_is_shown_and_an_unknown_name_refused(capsys):
    """Orientation, package and known failures; exit 4 with the nearest name."""
    assert main(["metrics", "show", "ilisi"]) == 0
    shown = capsys.readouterr().out
    assert "higher is better; advisory, unless required; computed on request" in shown
    assert "needs the package scib-metrics" in shown
    assert "Noise wins it" in " ".join(shown.split())
    assert main(["metrics", "show", "ilisy"]) == 4
    assert "did you mean 'ilisi'?" in capsys.readouterr().err

"""Thresholds of single tests: which counts, and what is refused."""

from __future__ import annotations

import pytest

from zsgate.config.config import Config
from zsgate.errors import UsageProblem
from zsgate.verdict.match import matches
from zsgate.verdict.threshold import Threshold, terms


@pytest.mark.parametrize(
    ("pattern", "named"),
    [
        ("pancreas-hvg-asw", True),
        ("pancreas-*-asw", True),
        ("*-asw", True),
        ("pancreas-hvg", True),
        ("pancreas", True),
        ("p?ncreas*", True),
        ("pancreas-hv", False),
        ("pancrea", False),
        ("hvg-asw", False),
        ("Pancreas-hvg-asw", False),
    ],
)
def test_a_pattern_names_whole_parts_from_the_front(pattern, named):
    """A shorter pattern names all tests that begin so; half a word names nothing."""
    assert matches(pattern, "pancreas", "hvg", "asw") is named


def test_the_later_of_two_thresholds_counts_key_by_key():
    """What a threshold leaves out is the run's, or an earlier one's."""
    given = [
        Threshold(match="*-asw", margin=0.02, threshold=0.5),
        Threshold(match="pancreas", policy="noninferior"),
        Threshold(match="pancreas-hvg", margin=0.05),
    ]
    found = terms(given, "beats", 0.01, "pancreas", "hvg", "asw")
    assert (found.policy, found.margin, found.threshold) == ("noninferior", 0.05, 0.5)
    found = terms(given, "beats", 0.01, "immune", "scvi", "nmi")
    assert (found.policy, found.margin, found.threshold) == ("beats", 0.01, None)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("match = 'a'", "sets nothing"),
        ("margin = 0.1", "match missing"),
        ("match = ''\nmargin = 0.1", "match missing"),
        ("match = 'a'\nmargn = 0.1", "unknown key 'margn'; did you mean 'margin'?"),
        ("match = 'a'\nmargin = -0.1", "from 0 to 1"),
        ("match = 'a'\nmargin = 1", "from 0 to 1"),
        ("match = 'a'\nmargin = nan", "from 0 to 1"),
        ("match = 'a'\nthreshold = 'high'", "must be a number"),
        ("match = 'a'\nthreshold = true", "must be a number"),
        ("match = 'a'\npolicy = 'beat'", "unknown policy 'beat'; did you mean 'beats'?"),
        ("match = 3\nmargin = 0.1", "match must be text"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, table, words):
    """Bad keys and values are said with their place in pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(f"[[tool.zsgate.threshold]]\n{table}\n", encoding="utf-8")
    with pytest.raises(UsageProblem, match=r"\[tool.zsgate\] threshold: ") as refused:
        Config.gather({"model": "m"}, {}, tmp_path)
    assert words in str(refused.value)

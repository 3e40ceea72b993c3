"""The table in a terminal: narrow, plain where it must be, ending with the sentence why."""

from __future__ import annotations

import pytest
from made_records import broken, judged, sample
from msgspec.structs import replace

from zsgate.report.record import Record
from zsgate.report.sentence import headline
from zsgate.report.terminal import table


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_fits_the_terminal(any_record: Record, width: int) -> None:
    """No line is longer than the terminal is wide."""
    assert max(len(line) for line in table(any_record, width=width).splitlines()) <= width


def test_plain_text_unless_asked(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without colour there is no escape sequence and nothing but ASCII, whatever the environment wishes."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "30")
    plain = table(record)
    assert plain.isascii()
    assert "\x1b" not in plain
    assert "\x1b[" in table(record, colour=True)


def test_ends_with_the_sentence(any_record: Record) -> None:
    """The last paragraph is the gate in capitals and the sentence why."""
    end = " ".join(table(any_record, width=100).split("\n\n")[-1].split())
    assert end.endswith(f"{any_record.gate.upper()}: {headline(any_record)}")


def test_every_outcome_is_a_word() -> None:
    """Outcomes, errors, what was not tested and what speaks for these donors only are told in words."""
    text = table(broken())
    for word in ("beats", "loses", "inconclusive", "error", "not tested", "loses*", "not passed", "+0.029", "-0.041"):
        assert word in text


def test_every_verdict_is_there(record: Record) -> None:
    """Narrow or wide, each difference of the run is shown."""
    for width in (40, 80):
        words = table(record, width=width).split()
        for verdict in record.verdicts:
            assert f"{verdict.difference:+.3f}" in words


def test_names_are_text_not_style() -> None:
    """Markup of rich, escape sequences and line breaks in names are shown, not obeyed."""
    named = [replace(verdict, dataset="[bold]a\n\x1b[31mb") for verdict in sample().verdicts]
    text = table(judged(sample(), named))
    assert "[bold]a" in text
    assert "\x1b" not in text

"""What is said of a name that is not known, and whose fault a failure is."""

from __future__ import annotations

import errno

import pytest

from zsgate.errors import MachineFailed, machine_fault, nearest, unknown, without_credentials


def test_the_nearest_name_ignores_case():
    """A name in another case is the nearest; nothing near is None."""
    assert nearest("CELL_TYPE", ["cell_type", "batch"]) == "cell_type"
    assert nearest("xyz", ["cell_type", "batch"]) is None


def test_an_unknown_name_is_said_with_the_nearest_one():
    """And with all that are known; where none is near, there is no guess."""
    assert unknown("tier", "quik", ("quick", "pr")) == "unknown tier 'quik'; did you mean 'quick'? (known: quick, pr)"
    assert unknown("tier", "xyz", ("quick", "pr")) == "unknown tier 'xyz' (known: quick, pr)"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.ENOLCK])
def test_a_full_disk_is_the_machine_s_fault(number):
    """Itself or as the cause of another error; any other error of the system is not."""
    full = OSError(number, "as the system says it", "/var/tmp/x")
    assert "as the system says it (/var/tmp/x); TMPDIR and --cache" in machine_fault(full)
    wrapped = ValueError("cannot embed")
    wrapped.__cause__ = full
    assert machine_fault(wrapped) == machine_fault(full)
    assert machine_fault(MachineFailed("no room")) == "no room"
    assert machine_fault(FileNotFoundError(errno.ENOENT, "no such file")) == machine_fault(RuntimeError("x")) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("--mirror=https://user:TOKEN@host/x", "--mirror=https://host/x"),
        ("https://TOKEN@host and ftp://a:b@c/d@e", "https://host and ftp://c/d@e"),
        ("https://host/user@x, mail me@host", "https://host/user@x, mail me@host"),
        ("no address", "no address"),
    ],
)
def test_credentials_are_left_out_of_addresses(text, shown):
    """Names, passwords and tokens before a host go, and nothing else does."""
    assert without_credentials(text) == shown

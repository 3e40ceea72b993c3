"""What errors say of names and addresses."""

from __future__ import annotations

import pytest

from zsgate.errors import without_credentials


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

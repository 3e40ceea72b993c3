"""Environment: how templates become pages: every value escaped, what is not there an error, no empty lines."""

from __future__ import annotations

import jinja2
from markupsafe import Markup, escape

from zsgate.report import words


def environment(package: str, folder: str = "") -> jinja2.Environment:
    """Return what reads the templates of a package, with the filters that all pages share.

    Parameters
    ----------
    package
        Its name.
    folder
        Where in it the templates are.
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader(package, folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = (words.number, words.signed, words.interval, words.counted, words.seconds, breakable)
    found.filters.update({function.__name__: function for function in filters})
    return found


def breakable(name: str) -> Markup:
    """Return a name, escaped, that may be broken behind its underscores."""
    return Markup(escape(name).replace("_", Markup("_<wbr>")))

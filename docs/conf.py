"""Sphinx builds the documents: ``make docs``."""

from __future__ import annotations

from zsgate import __version__

project = "zsgate"
author = "The zsgate developers"
copyright = "2026, the zsgate developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = False  # types are named as in the code; no inventory of other projects is asked, for builds are offline

myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"  # the sections of docstrings say them
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "sphinx_book_theme"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_title = f"zsgate {version}"
html_theme_options = {
    "repository_url": "https://github.com/zsgate/zsgate",
    "use_repository_button": True,
    "path_to_docs": "docs",
    "show_navbar_depth": 1,
    "use_download_button": False,
    "navbar_persistent": [],  # the search stands in the side bar
}

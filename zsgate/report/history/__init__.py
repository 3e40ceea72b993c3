"""History: records compared over commits, two for a pull request, any number on a page."""

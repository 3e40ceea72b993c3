"""Workers: what a run on several processes of pytest-xdist takes, and that none of their results is lost."""

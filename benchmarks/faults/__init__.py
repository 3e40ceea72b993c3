"""Faults: real runs of the gate under what machines, networks and candidates do to them, and what must hold of each."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests"))  # the web server and the tree of processes

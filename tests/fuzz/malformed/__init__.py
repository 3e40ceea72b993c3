"""Malformed input of every kind, made by Hypothesis, and what may come of it."""

import sys
from pathlib import Path

# what other tests make their records and checkpoints of
sys.path += [str(Path(__file__).parents[2] / name) for name in ("report", "run", "models", "golden")]

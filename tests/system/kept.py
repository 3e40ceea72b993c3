"""What tests of the store keep, and a computation that counts its calls."""

from __future__ import annotations

import numpy as np

KEY = {"who": "hvg", "dataset": "abc", "settings": {"seeds": 3, "quick": True}}


def files(store):
    """Return the names of everything the store's folder holds, locks and parts of files included."""
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())


class Counted:
    """A computation that counts its calls and may fail."""

    def __init__(self, value, error=None):
        self.value, self.error, self.calls = value, error, 0

    def __call__(self):
        """Return the value or fail."""
        self.calls += 1
        if self.error is not None:
            raise self.error
        return self.value


ARRAYS = ([np.arange(6, dtype=np.float32).reshape(2, 3), np.array(["β-cell", "a\nb", ""])], {"epochs": [100, 120]})


LARGE = ([np.arange(3), np.arange(60, dtype=np.float32).reshape(20, 3), np.array(["β" * 40, "a"])], {"epochs": [1]})

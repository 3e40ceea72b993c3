"""Store: what was computed once, kept under a key made of everything that decides it."""

from zsgate.system.store.entry import Array, Arrays, Values
from zsgate.system.store.store import Store

__all__ = ["Array", "Arrays", "Store", "Values"]

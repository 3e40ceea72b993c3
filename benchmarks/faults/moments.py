"""Moments, copied to where a run is started: ``-p moments`` sends a signal to the process that is about to put a file.

``FAULT_AT`` is a pattern of the file's path, ``FAULT_SIGNAL`` the number, ``FAULT_SKIP`` how many such files are let
be, and ``FAULT_AFTER`` says that the file is put first. ``FAULT_LOG`` names a file where all that are put are listed.
"""

from __future__ import annotations

import os
from fnmatch import fnmatch

AT, SIGNAL = os.environ.get("FAULT_AT"), int(os.environ.get("FAULT_SIGNAL", "9"))
LOG = os.environ.get("FAULT_LOG")
LATER, left = "FAULT_AFTER" in os.environ, int(os.environ.get("FAULT_SKIP", "0"))


def _wrapped(put):
    def call(source, target, *args, **more):
        global left
        fits = AT is not None and fnmatch(str(target), AT)
        due, left = fits and left == 0, left - fits
        if due and not LATER:
            os.kill(os.getpid(), SIGNAL)
        put(source, target, *args, **more)
        if LOG is not None:
            with open(LOG, "a") as log:  # noqa: PTH123
                log.write(f"{target}\n")
        if due and LATER:
            os.kill(os.getpid(), SIGNAL)

    return call


for _name in ("replace", "rename", "link"):
    setattr(os, _name, _wrapped(getattr(os, _name)))

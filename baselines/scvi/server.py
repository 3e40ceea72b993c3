"""What the server that forks scVI's trainings imports before it forks.

The training stack, which takes seconds to import, once for all seeds. Before that the server ties its life to the
process that started it: a pipe tells a server of its starter's end as well, but not while it imports.
Imported anywhere else this module ties nothing.
"""

from __future__ import annotations

import os
import sys

from zsgate.system.processes import end_with

if any("multiprocessing.forkserver" in word for word in sys.orig_argv):
    end_with(os.getppid())

import scvi  # noqa: F401

import zsgate.baselines.scvi.training  # noqa: F401

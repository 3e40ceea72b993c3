"""The command line: ``zsgate NOUN VERB`` and ``python -m zsgate``, thin over the functions that the gate uses.

A noun is a module of :mod:`zsgate.cli` and a line in :data:`NOUNS`. The module's docstring is its help; its
``add_verbs(parser)`` adds sub-commands, or the arguments of the one thing that is done with it, with
``set_defaults(run=function)``, and the function takes the parsed arguments and returns an exit code. Modules import
what is heavy inside those functions.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import zsgate
from zsgate.errors import MachineFailed, UsageProblem, without_credentials

NOUNS = ("badge", "cache", "comment", "data", "history", "leakage", "merge", "metrics", "models")
BROKE = 3
BAD_USAGE = 4  # as in a run of the gate; argparse's own 2 means "interrupted" there


class Parser(argparse.ArgumentParser):
    """A parser that leaves with the gate's own exit code."""

    def error(self, message: str) -> NoReturn:
        """Say how the command is used, and exit with 4."""
        self.print_usage(sys.stderr)
        self.exit(BAD_USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 1 something is wrong with what was checked, 3 zsgate itself or the machine failed, 4 bad usage; of ``merge``
    the exit code of the run that it puts together.
    """
    given = _parser().parse_args(arguments)
    try:
        code = int(given.run(given))
        sys.stdout.flush()  # or a reader that is gone is noticed only when the interpreter leaves
        return code
    except MachineFailed as problem:
        sys.stderr.write(f"zsgate: {without_credentials(str(problem))}\n")
        return BROKE
    except UsageProblem as problem:
        sys.stderr.write(f"zsgate: {without_credentials(str(problem))}\n")
        return BAD_USAGE
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception:  # 1, which Python leaves with, would say that what was checked is wrong
        traceback.print_exc()
        sys.stderr.write("zsgate: this is a fault of zsgate, not of what was checked; please report it\n")
        return BROKE


def _parser() -> Parser:
    parser = Parser(prog="zsgate", description=zsgate.__doc__)
    parser.add_argument("--version", action="version", version=f"zsgate {zsgate.__version__}")
    nouns = parser.add_subparsers(metavar="NOUN", required=True)
    for noun in NOUNS:
        module = import_module(f"zsgate.cli.{noun}")
        about = (module.__doc__ or "").partition("\n")[0]
        module.add_verbs(nouns.add_parser(noun, help=about, description=about))
    return parser

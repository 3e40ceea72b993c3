"""Test and time on a GPU what ``--gpu`` puts there, and print one table; at most eight minutes, without a network.

    make gpu
    python -m benchmarks.gpu [--device cpu --small] [--seconds 480]

The rates are of made cells: which numbers they hold does not change them. A part that needs a package which is not
installed, or more time than is left, says so in its row; one that fails says how; the table comes in any case.
``--device cpu --small`` runs every line at tiny sizes anywhere.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

import zsgate
from benchmarks.gpu_parts import Asked, attention, cellama, distances, family, geneformer, scgpt, scvi, search

ROOT = Path(__file__).parent.parent
zsgate.__path__.append(str(ROOT))  # where zsgate is not installed: zsgate.baselines lies beside zsgate/
PYTEST = "import sys, zsgate, pytest; zsgate.__path__.append(sys.argv.pop(1)); sys.exit(pytest.main(sys.argv[1:]))"


@dataclass(frozen=True)
class Part:
    """One row of the table.

    Attributes
    ----------
    what
        What is timed, in words.
    needs
        Seconds that must be left.
    measure
        Returns what came out, in words.
    """

    what: str
    needs: float
    measure: Callable[[Asked], str]


def tests(asked: Asked) -> str:
    """Run the tests marked gpu, in the files that have some."""
    marked = re.compile(r"mark\.gpu\b")
    files = sorted(path for path in (ROOT / "tests").rglob("test_*.py") if marked.search(path.read_text()))
    options = "-q -m gpu --tb=line --continue-on-collection-errors -p no:cacheprovider -o filterwarnings= -rfEs"
    command = [sys.executable, "-c", PYTEST, str(ROOT), *options.split(), *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=max(30, asked.left))
    print(done.stdout[-6000:], done.stderr[-2000:], flush=True)
    return done.stdout.strip().splitlines()[-1].strip("= ") if done.stdout.strip() else f"exit {done.returncode}"


PARTS = (
    Part("tests marked gpu", 90, tests),
    Part("pass, 100k x 512", 20, distances(100_000, 512, None)),
    Part("pass, 483k x 50", 30, distances(483_000, 50, None)),
    Part("pass, 483k x 512", 40, distances(483_000, 512, 10)),
    Part("pass, 483k x 2,000", 70, distances(483_000, 2_000, 30)),
    Part("search, 100k x 512", 40, search(100_000, 512)),
    Part("scGPT", 20, scgpt),
    Part("Geneformer V1 10M", 20, geneformer),
    Part("CELLama, untrained twin", 15, cellama),
    Part("scFoundation", 20, family("scfoundation")),
    Part("UCE, 4 layers", 20, family("uce_4l")),
    Part("scBERT", 20, family("scbert_panglao")),
    Part("GeneCompass", 20, family("genecompass_base")),
    Part("SCimilarity", 10, family("scimilarity")),
    Part("flash-attn against torch", 10, attention),
    Part("scVI", 40, scvi),
)


def outcome(part: Part, asked: Asked) -> str:
    """Return what a row says, whatever happens."""
    if asked.left < part.needs and not asked.small:
        return f"not run: {asked.left:.0f} s left, {part.needs:.0f} may be needed"
    try:
        return part.measure(asked)
    except ModuleNotFoundError as error:
        return f"not run: needs {error.name}"
    except Exception as error:  # the row says it, and the others come
        return f"failed: {type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"
    finally:
        if asked.device.type == "cuda":
            torch.cuda.empty_cache()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--small", action="store_true", help="every line at tiny sizes")
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--only", default="", help="the rows with these words")
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit(f"torch {torch.__version__} sees no CUDA device; --device cpu --small runs every line on the CPU")
    asked = Asked(torch.device(given.device), given.small, time.monotonic() + given.seconds)
    where = torch.cuda.get_device_name() if given.device == "cuda" else "the CPU"
    rows = []
    for part in PARTS:
        if given.only in part.what and not (given.small and part.measure is tests):
            rows.append((part.what, outcome(part, asked)))
            print(f"{rows[-1][0]:28s} {rows[-1][1]}", file=sys.stderr, flush=True)
    print(f"\n| {where}, torch {torch.__version__} | |\n|---|---|")
    print("\n".join(f"| {what} | {came} |" for what, came in rows), flush=True)


if __name__ == "__main__":
    main()

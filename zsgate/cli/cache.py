"""What runs have kept: how much room it takes, whether it is whole, freeing it, and taking it elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zsgate.cli.options import settings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zsgate.system.cache import CacheEntry


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = verbs.add_parser("list", help="what is kept, by kind, with its size and age")
    listing.set_defaults(run=show_list)
    cleaning = verbs.add_parser("clean", help="say what would be freed; with --yes, free it")
    cleaning.add_argument(
        "--older-than",
        type=_days,
        default=30,
        metavar="DAYS",
        help="only what nobody has used for so many days (default 30, at least 1, for a run may be going on)",
    )
    cleaning.add_argument("--kind", action="append", metavar="KIND", help="only these, as list names them; repeatable")
    cleaning.add_argument("--yes", action="store_true", help="remove it")
    cleaning.set_defaults(run=clean)
    verifying = verbs.add_parser("verify", help="read all that is kept and name what is damaged; exit 1 if anything is")
    verifying.add_argument("--remove", action="store_true", help="remove what is damaged, so that it is made again")
    verifying.set_defaults(run=verify)
    exporting = verbs.add_parser("export", help="write embeddings to a file that another machine can import")
    exporting.add_argument("file", metavar="FILE.tar")
    exporting.add_argument("--model", action="append", default=[], metavar="NAME", help="only of these; repeatable")
    exporting.add_argument("--dataset", action="append", default=[], metavar="NAME", help="only of these; repeatable")
    exporting.set_defaults(run=export)
    importing = verbs.add_parser("import", help="take embeddings of a file, to be used once a run has proven them")
    importing.add_argument("file", metavar="FILE.tar")
    importing.set_defaults(run=take)
    key = verbs.add_parser("key", help="a key for a copy of the cache folder: of all code, weights and versions")
    key.add_argument("--model", required=True, metavar="NAME|pkg.mod:attr|PATH")
    key.add_argument("--weights", help="folder or file of its weights")
    key.add_argument("--also", default="", metavar="TEXT", help="what else tells copies apart, such as the datasets")
    key.set_defaults(run=show_key)
    for verb in (listing, cleaning, verifying, exporting, importing):
        verb.add_argument("--cache", help="folder of what is kept")


def show_list(given: argparse.Namespace) -> int:
    """Print one line a kind: how many entries, their size, when they were last used, what they are."""
    from zsgate.system.cache import ABOUT, contents

    root = _root(given)
    found = contents(root)
    print(root)
    for kind, about in ABOUT.items():
        entries = [entry for entry in found if entry.kind == kind]
        if entries:
            print(f"{kind:15}  {len(entries):7,}  {_size(entries):>9}  used {_ages(entries):20}  {about}")
    print(f"{'together':15}  {len(found):7,}  {_size(found):>9}")
    return 0


def clean(given: argparse.Namespace) -> int:
    """Print what is freed, or would be without ``--yes``; downloads stay unless their kind is named.

    Raises
    ------
    UsageProblem
        If there is no kind of a name.
    """
    from zsgate.errors import UsageProblem, unknown
    from zsgate.system.cache import FOLDERS, MADE, contents, remove

    kinds = given.kind or MADE
    for kind in kinds:
        if kind not in FOLDERS:
            raise UsageProblem(unknown("kind", kind, tuple(FOLDERS)))
    idle = [entry for entry in contents(_root(given)) if entry.kind in kinds and entry.idle(given.older_than)]
    chosen = remove(idle) if given.yes else idle
    for kind in kinds:
        entries = [entry for entry in chosen if entry.kind == kind]
        if entries:
            print(f"{kind:15}  {len(entries):7,}  {_size(entries):>9}  used {_ages(entries)}")
    said = "freed" if given.yes else "would be freed; --yes frees it"
    held = f"; {len(idle) - len(chosen)} are in use or not yours and stay" if len(chosen) < len(idle) else ""
    print(f"{_size(chosen)} {said}{held}" if idle else f"nothing has been idle for {given.older_than:g} days")
    return 0


def verify(given: argparse.Namespace) -> int:
    """Print how much of each kind is whole, damaged or somebody else's, and name what is damaged.

    0 if nothing is damaged, or all that was is removed; 1 otherwise.
    """
    from collections import Counter

    from zsgate.cli.verify import findings, remove
    from zsgate.system.cache import FOLDERS
    from zsgate.system.store.verify import State

    root, counts, left = _root(given), {kind: Counter[State]() for kind in FOLDERS}, 0
    for kind, finding in findings(root):
        counts[kind][finding.state] += 1
        if finding.state is State.DAMAGED:
            gone = given.remove and remove(kind, finding)
            left += not gone
            said = "; removed" if gone else "; cannot be removed" if given.remove else ""
            print(f"{finding.paths[0]}: damaged, {finding.fault}{said}")
    print(root)
    for kind, found in counts.items():
        if found:
            print(f"{kind:15}  {', '.join(f'{found[state]:,} {state}' for state in State if found[state])}")
    return 1 if left else 0


def export(given: argparse.Namespace) -> int:
    """Write the embeddings that few cells can prove, and print how many of the others are left out, and why.

    Raises
    ------
    UsageProblem
        If there are none, or nothing is kept of a name.
    MachineFailed
        If the file cannot be written.
    """
    from zsgate.errors import UsageProblem
    from zsgate.run.checks.exported import choose
    from zsgate.system.store.parcel import pack

    file, root = Path(given.file), _root(given)
    chosen = choose(root, given.model, given.dataset)
    for reason, number in chosen.left_out.items():
        print(f"{number:,} left out: {reason}")
    if not chosen.embeddings:
        msg = f"{root}: no embedding is kept that another machine could prove, so {file} is not written"
        raise UsageProblem(msg)
    pack([*chosen.embeddings, *chosen.proofs], file)
    print(f"{file}: {_embeddings(len(chosen.embeddings))}, {file.stat().st_size / 1e6:,.1f} MB")
    return 0


def take(given: argparse.Namespace) -> int:
    """Check a file of embeddings and put them where they wait for a run that proves them.

    Raises
    ------
    UsageProblem
        If anything in the file is not as export writes it; nothing of it is imported.
    MachineFailed
        If the cache folder cannot be written to.
    """
    from zsgate.system.cache import find_folder, prepare
    from zsgate.system.store.parcel import IMPORTED, KINDS, unpack

    settings = settings_of(given)
    root = find_folder(settings.cache)
    prepare(root, shared=settings.cache_shared)
    entries = [entry for entry in unpack(Path(given.file), root) if entry.path.parent.name == KINDS[0]]
    said = "to be used once a run has embedded some of the cells itself and found the same rows"
    print(f"{root / IMPORTED}: {_embeddings(len(entries))}, {said}")
    return 0


def show_key(given: argparse.Namespace) -> int:
    """Print a key that is another one as soon as any code, weight or version is.

    Raises
    ------
    UsageProblem
        If the source of the model cannot be found, or its weights cannot be read.
    """
    from zsgate.cli.key import key_of

    print(key_of(given.model, Path(given.weights) if given.weights else None, given.also))
    return 0


def _days(text: str) -> float:
    days = float(text)
    if not days >= 1:
        msg = "at least 1"
        raise argparse.ArgumentTypeError(msg)
    return days


def _root(given: argparse.Namespace) -> Path:
    from zsgate.system.cache import find_folder

    return find_folder(settings_of(given).cache)


def _embeddings(number: int) -> str:
    return f"{number:,} embedding{'s' * (number != 1)}"


def _size(entries: Sequence[CacheEntry]) -> str:
    n_bytes = sum(entry.n_bytes for entry in entries)
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def _ages(entries: Sequence[CacheEntry]) -> str:
    import time

    first, last = (int((time.time() - end(entry.used for entry in entries)) // 86_400) for end in (max, min))
    if first == last:
        return "today" if not first else f"{first} days ago"
    return f"{first} to {last} days ago"

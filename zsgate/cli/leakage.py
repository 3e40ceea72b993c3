"""Whether a model's corpus holds a dataset: build a filter of the corpus once, then ask it."""

from __future__ import annotations

import argparse
from pathlib import Path

from zsgate.cli.options import add_places, shelf_of


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add ``build`` and ``check``."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    building = verbs.add_parser("build", help="write a filter of the cells of .h5ad or .zarr files")
    building.add_argument("corpus", type=Path, nargs="+", help=".h5ad or .zarr")
    building.add_argument("--output", "-o", type=Path, default=Path("corpus.bloom"), help="default: corpus.bloom")
    building.add_argument("--counts", help="where the files keep raw counts: X, raw or layers/NAME")
    building.add_argument("--rate", type=float, default=1e-3, help="false positives of a fingerprint (default 0.001)")
    building.set_defaults(run=build)

    checking = verbs.add_parser("check", help="how many cells of a dataset are in the corpus; 1 if it was seen")
    checking.add_argument("filter", type=Path, help="what build wrote")
    checking.add_argument("dataset", help="NAME of the catalogue, .h5ad or .zarr")
    checking.add_argument("--label", help="where the file keeps its cell types")
    checking.add_argument("--counts", help="where the file keeps its raw counts")
    add_places(checking)
    checking.add_argument("--offline", action="store_true", help="touch no network")
    checking.set_defaults(run=check)


def build(given: argparse.Namespace) -> int:
    """Write the filter and say how large it is and how often it errs."""
    from zsgate.data.leakage.corpus import build_filter
    from zsgate.data.leakage.fingerprints import save
    from zsgate.errors import UsageProblem

    if not 0 < given.rate < 1:
        msg = f"--rate must lie between 0 and 1, not {given.rate:g}"
        raise UsageProblem(msg)
    bloom, n_cells = build_filter(given.corpus, given.counts, given.rate)
    save(bloom, given.output)
    size = given.output.stat().st_size / 1e6
    print(f"{given.output}: {n_cells:,} cells, {size:.1f} MB, a fingerprint is found by chance at {bloom.rate:.1g}")
    return 0


def check(given: argparse.Namespace) -> int:
    """Print how many cells are in the corpus; 1 if the dataset was seen."""
    from zsgate.data.annotations import Columns
    from zsgate.data.catalogue.load import load as load_dataset
    from zsgate.data.check import check_file
    from zsgate.data.file.path import is_file
    from zsgate.data.leakage.fingerprints import find_cells, load
    from zsgate.data.read import read_h5ad
    from zsgate.errors import UsageProblem

    bloom, shelf = load(given.filter), shelf_of(given)
    if is_file(given.dataset):
        found = check_file(Path(given.dataset), Columns(label=given.label, counts=given.counts))
        if found.columns.label is None:
            raise UsageProblem(found.problems[0])
        only = Columns(label=found.columns.label, counts=given.counts)
        dataset = read_h5ad(Path(given.dataset), Path(given.dataset).stem, only, cache=shelf.cache / "prepared")
    else:
        dataset = load_dataset(given.dataset, shelf)
    evidence = find_cells(bloom, dataset)
    print(f"{dataset.name}: {'seen' if evidence.seen else 'not seen'}: {evidence}")
    return 1 if evidence.seen else 0

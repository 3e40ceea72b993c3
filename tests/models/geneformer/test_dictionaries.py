"""Gene dictionaries: read without running code, converted once."""

from __future__ import annotations

import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from damage import refusals

from zsgate.models.families.geneformer.dictionaries import read_dictionary, read_through_json


def test_dictionaries_are_kept_as_json(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """A pickle is converted once, the copy holds the same and is found by the pickle's digest."""
    path = geneformer_folders["geneformer_v1_10m"] / "gene_median_dictionary_gc30M.pkl"
    first = read_through_json(path, tmp_path)
    (copy,) = (tmp_path / "dictionaries").iterdir()
    assert copy.suffix == ".json"
    assert read_through_json(path, tmp_path) == first == pickle.loads(path.read_bytes())


def test_dictionaries_are_converted_side_by_side(tmp_path: Path) -> None:
    """Runs that share a cache and start together: each gets the dictionary, whoever is first."""
    path = tmp_path / "token_dictionary.pkl"
    genes = {f"ENSG{i:011d}": i for i in range(20_000)}
    path.write_bytes(pickle.dumps(genes))
    with ThreadPoolExecutor(8) as pool:
        for attempt in range(4):
            cache = tmp_path / str(attempt)
            found = [each.result() for each in [pool.submit(read_through_json, path, cache) for _ in range(8)]]
            assert all(one == genes for one in found)
            assert len(list((cache / "dictionaries").iterdir())) == 1


def test_damaged_dictionaries_are_one_sentence(tmp_path: Path) -> None:
    """Pickles and JSON alike."""
    genes = {f"ENSG{i}": np.float64(i) for i in range(30)}
    for suffix, content in ((".pkl", pickle.dumps(genes)), (".json", json.dumps(genes).encode())):
        path = tmp_path / f"genes{suffix}"
        said = refusals(read_dictionary, path, content, 300)
        assert len(said) > 150
        assert all(str(path) in one for one in said)

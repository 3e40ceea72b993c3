"""Weights of one's own: nothing published is said of them."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from zsgate import models
from zsgate.config.config import Config
from zsgate.data.catalogue.cards import CARDS
from zsgate.errors import UsageProblem
from zsgate.models.pretrained import own
from zsgate.models.pretrained.checkpoints import CHECKPOINTS
from zsgate.models.pretrained.own import FAMILIES, find_checkpoint
from zsgate.run.ledger import Ledger
from zsgate.run.run import Run
from zsgate.system.store import Store


@pytest.mark.parametrize("family", FAMILIES)
def test_own_weights_are_called_after_their_folder(family: str, own_folders: dict[str, Path], tmp_path: Path) -> None:
    """The card has the folder's name and says of pretraining, licence and citation that they are not known."""
    place = Path(shutil.copytree(own_folders[family], tmp_path / "islets_2026"))
    for given in (place, str(place)):
        card = models.load(family, weights=given, offline=True, cache=tmp_path).info
        assert card.name == "islets_2026"
        assert (card.pretraining, card.citation, card.weights_licence, card.code_licence) == (
            None,
            "",
            "unknown",
            "unknown",
        )
        assert card.notes[0] == f"own weights of the family {family}: what they saw in pretraining is not known"
        assert not [note for note in card.notes if "published" in note]


def test_published_weights_beside_other_genes_are_refused(
    scfoundation_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list in another order would give rows that look right; beside weights of one's own it is one's own."""
    folder = Path(shutil.copytree(scfoundation_folder, tmp_path / "mixed"))
    published = CHECKPOINTS["scfoundation_cell"]
    assert models.load(published.name, weights=folder, device="cpu").info.name == "scfoundation_cell@own"
    model, genes = published.files
    digest = hashlib.sha256((folder / "models.ckpt").read_bytes()).hexdigest()
    known = {published.name: replace(published, files=(replace(model, sha256=digest), genes))}
    monkeypatch.setattr(own, "CHECKPOINTS", known)
    with pytest.raises(UsageProblem, match="is not the list of genes published with scfoundation_cell"):
        models.load(published.name, weights=folder, device="cpu")
    digest = hashlib.sha256((folder / genes.name).read_bytes()).hexdigest()
    files = (known[published.name].files[0], replace(genes, sha256=digest))
    known[published.name] = replace(published, files=files)
    assert models.load(published.name, weights=folder, device="cpu").info.name == "scfoundation_cell"


@pytest.mark.parametrize(("name", "called"), [("geneformer_v1_10m", "geneformer_v1_10m@own"), ("scgpt", "scgpt@own")])
def test_no_published_record_finds_own_weights(geneformer_folders: dict[str, Path], name: str, called: str) -> None:
    """A published name, of a folder or on the command line, is no name of own weights: datasets' cards know those."""
    folder = geneformer_folders["geneformer_v1_10m"]
    renamed = folder.parent / f"{folder.name}_named" / name
    if not renamed.exists():
        shutil.copytree(folder, renamed)
    for asked, place in ((name, folder), ("geneformer", renamed)):
        if asked in CHECKPOINTS or place is renamed:
            checkpoint, _ = find_checkpoint(asked, place, folder, offline=True)
            assert (checkpoint.name, checkpoint.pretraining, checkpoint.own) == (called, None, True)
    known = {model for card in CARDS.values() for model in card.exposure}
    assert "geneformer_v1_10m" in known
    assert called not in known


def test_a_published_name_on_the_published_file_keeps_its_record(
    geneformer_folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's digest decides: settings may be written otherwise, and a file without a digest keeps its claim."""
    folder = geneformer_folders["geneformer_v1_10m"]
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    published = CHECKPOINTS["geneformer_v1_10m"]
    model, *rest = published.files
    for sha256 in (digest, None):
        known = {published.name: replace(published, files=(replace(model, sha256=sha256), *rest))}
        monkeypatch.setattr(own, "CHECKPOINTS", known)
        checkpoint, files = find_checkpoint(published.name, folder, folder, offline=True)
        assert checkpoint.pretraining == ("pancreas",)
        assert files["config.json"].status == "other"


@pytest.mark.parametrize(
    ("name", "called"), [("geneformer", "islets_2026"), ("geneformer_v1_10m", "geneformer_v1_10m@own")]
)
@pytest.mark.parametrize("declared", [None, ("pancreas",), ()])
def test_a_run_knows_of_own_weights_what_the_user_declares(
    geneformer_folders: dict[str, Path], tmp_path: Path, name: str, called: str, declared: tuple[str, ...] | None
) -> None:
    """The published model saw the paper's Pancreas: of own weights that is unknown, or as is declared of --model."""
    (tmp_path / "islets_2026").symlink_to(geneformer_folders["geneformer_v1_10m"])
    said = {} if declared is None else {name: {"pretraining": declared}}
    config = Config(model=name, weights=tmp_path / "islets_2026", cache=tmp_path, datasets=("pancreas",), models=said)
    run = Run(config, tmp_path, Ledger(Store(tmp_path / "store"), Store(tmp_path / "run")))
    assert run.candidate.name == called
    expected = {None: "unknown", ("pancreas",): "seen", (): "not seen"}[declared]
    assert run.exposure("pancreas").status == expected


def test_a_folder_called_like_a_baseline_is_refused(geneformer_folders: dict[str, Path], tmp_path: Path) -> None:
    """Names tell who is who in every table."""
    (tmp_path / "pca").symlink_to(geneformer_folders["geneformer_v1_10m"])
    config = Config(model="geneformer", weights=tmp_path / "pca", cache=tmp_path, datasets=("pancreas",))
    run = Run(config, tmp_path, Ledger(Store(tmp_path / "store"), Store(tmp_path / "run")))
    with pytest.raises(UsageProblem, match="a baseline is called pca, as the folder of its weights is; rename"):
        _ = run.candidate


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_without_a_folder_says_what_to_name(family: str) -> None:
    """One sentence with the option, the files and the published names."""
    with pytest.raises(UsageProblem, match=rf"{family} means a checkpoint of your own: .*--weights DIR; .* {family}_"):
        models.load(family)


def test_an_empty_folder_names_its_files(tmp_path: Path) -> None:
    """Of a family no address is known: the files are named."""
    with pytest.raises(UsageProblem, match=r"(?s)3 file\(s\) are not in .*best_model.pt.*args.json.*vocab.json"):
        models.load("scgpt", weights=tmp_path)


@pytest.mark.parametrize(("short", "name"), [("fp32", "float32"), ("bf16", "bfloat16")])
def test_short_names_of_number_formats(scgpt_folder: Path, short: str, name: str) -> None:
    """As torch calls them or shorter, they are the same model."""
    made = [models.load("scgpt", weights=scgpt_folder, dtype=each) for each in (short, name)]
    assert made[0].fingerprint == made[1].fingerprint
    assert any(note.endswith(name) for note in made[0].info.notes)
    assert models.load("cellama", dtype=short).fingerprint == models.load("cellama", dtype=name).fingerprint

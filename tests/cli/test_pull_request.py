"""``zsgate merge``, ``comment``, ``badge``, ``history``: exit codes, and what is written where something is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace
from shards import SOURCE, lost, shard, write

from zsgate.cli import main
from zsgate.report.record import GateState, Record


def gate(folder: Path) -> str:
    return Record.of_json((folder / "verdict.json").read_bytes()).gate


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in an empty folder, outside any workflow."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def test_merge_ends_as_the_gate_does(tmp_path, capsys):
    """0 where all shards passed, 1 where one lost, 3 where one is missing; page and verdict.json each time."""
    paths = write(tmp_path, shard("lab"), shard("clinic"))
    assert main(["merge", *paths]) == 0
    assert gate(tmp_path / "zsgate-report") == "passed"
    assert (tmp_path / "zsgate-report" / "index.html").is_file()
    assert "PASSED: mine beats hvg: both tests passed on lab and clinic." in capsys.readouterr().out
    assert main(["merge", *paths, "--expect=2", "--out=other"]) == 0
    assert main(["merge", paths[0], "--expect=2"]) == 3
    assert main(["merge", paths[0]]) == 3
    assert main(["merge", *paths, "--datasets=lab,clinic,atlas"]) == 3
    assert gate(tmp_path / "zsgate-report") == "broke"
    paths = write(tmp_path, shard("lab"), lost("clinic"))
    assert main(["merge", *paths, "--datasets=lab,clinic.h5ad"]) == 1
    assert gate(tmp_path / "zsgate-report") == "lost"


def test_merge_knows_tiers(tmp_path):
    """A tier is its datasets, in its order, and the record says so."""
    paths = write(tmp_path, shard("pbmc_12k"), shard("pancreas"))
    assert main(["merge", *paths, "--datasets=pr"]) == 0
    record = Record.of_json((tmp_path / "zsgate-report" / "verdict.json").read_bytes())
    assert (record.tier, [each.name for each in record.datasets]) == ("pr", ["pancreas", "pbmc_12k"])
    assert main(["merge", *paths, "--datasets=full"]) == 3


def test_merge_refuses_what_is_no_shard(tmp_path, monkeypatch, capsys):
    """Exit 4 and one sentence; where a page of a pass stood, there is one without a verdict."""
    good, other = write(tmp_path, shard("lab"), shard("clinic"))
    cases = {
        "cut": (Path(other).read_text(encoding="utf-8")[:500], "no verdict.json of this version"),
        "newer": (
            shard("clinic").to_json().replace("verdict/1", "verdict/2"),
            "no verdict.json of this version",
        ),
        "foreign": (shard("clinic", provenance=replace(SOURCE, git="def")).to_json(), "the commit differs"),
        "forged": (replace(lost("clinic"), gate=GateState.PASSED).to_json(), "it says passed"),
    }
    for name, (text, said) in cases.items():
        assert main(["merge", good, other]) == 0
        Path(name).write_text(text, encoding="utf-8")
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / f"{name}.outputs"))
        assert main(["merge", good, name]) == 4, name
        assert said in capsys.readouterr().err
        assert gate(tmp_path / "zsgate-report") == "unusable"
        assert gate(tmp_path / "zsgate-report" / "previous") == "passed"
        assert said in (tmp_path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
        outputs = (tmp_path / f"{name}.outputs").read_text(encoding="utf-8")
        assert outputs == "gate=unusable\nexit-code=4\n"
        monkeypatch.delenv("GITHUB_OUTPUT")
    assert main(["merge", good, "nowhere.json"]) == 4


def test_merge_replaces_none_of_its_shards(tmp_path, capsys):
    """A folder that holds a shard is no place for the whole."""
    first, second = write(tmp_path, shard("lab"), shard("clinic"))
    before = Path(first).read_bytes()
    assert main(["merge", first, second, f"--out={Path(first).parent}"]) == 4
    assert "which is one of the shards" in capsys.readouterr().err
    assert Path(first).read_bytes() == before
    with pytest.raises(SystemExit) as left:
        main(["merge", first, "--expect=0"])
    assert left.value.code == 4


def test_a_place_that_cannot_be_written_is_no_verdict(tmp_path, capsys):
    """Exit 3, which says nothing of the model."""
    paths = write(tmp_path, shard("lab"), shard("clinic"))
    (tmp_path / "file").touch()
    assert main(["merge", *paths, "--out=file/x"]) == 3
    for noun in ("comment", "badge", "history"):
        assert main([noun, paths[0], "--out=file/x"]) == 3
    assert "cannot write there" in capsys.readouterr().err


def test_comment_badge_and_history_write_what_they_say(tmp_path, capsys):
    """To a file or standard output."""
    new, old = write(tmp_path, lost("lab"), shard("lab"))
    assert main(["comment", new, "--against", old, "--artifact=https://host/1", "--out=comment.md"]) == 0
    text = (tmp_path / "comment.md").read_text(encoding="utf-8")
    assert text.startswith("<!-- zsgate: mine -->\n")
    assert "1 test: new loss" in text
    assert main(["comment", new]) == 0
    assert capsys.readouterr().out.startswith("<!-- zsgate: mine -->\n")
    assert main(["comment", new, "--against=nowhere.json", "--out=comment.md"]) == 0
    assert "Nothing is compared: nowhere.json: cannot be read" in Path("comment.md").read_text(encoding="utf-8")
    assert main(["badge", old, "--out=out/badge.json"]) == 0
    drawn = json.loads((tmp_path / "out" / "badge.json").read_text(encoding="utf-8"))
    assert (drawn["message"], drawn["color"]) == ("passed 1/1", "brightgreen")
    assert main(["history", new, old]) == 0
    assert "new loss" not in (tmp_path / "history.html").read_text(encoding="utf-8")  # both were started at once
    Path("damaged.json").write_text("{", encoding="utf-8")
    assert main(["history", "shards", "damaged.json"]) == 1
    assert "not read: damaged.json" in capsys.readouterr().out
    assert main(["history", "nowhere"]) == 4


def test_a_damaged_record_leaves_no_green_badge(tmp_path, capsys):
    """Exit 4, and the badge that was there says passed no more."""
    (path,) = write(tmp_path, shard("lab"))
    assert main(["badge", path, "--out=badge.json"]) == 0
    Path(path).write_text("{}", encoding="utf-8")
    assert main(["badge", path, "--out=badge.json"]) == 4
    assert json.loads(Path("badge.json").read_text(encoding="utf-8"))["message"] == "unknown"
    assert main(["comment", path, "--out=comment.md"]) == 4
    assert not Path("comment.md").exists()


def test_a_record_that_contradicts_itself_is_shown_as_no_pass(tmp_path, capsys):
    """A lost run whose gate somebody wrote over: no green badge, no comment, no point of the history."""
    (path,) = write(tmp_path, replace(lost("lab"), gate=GateState.PASSED))
    assert main(["badge", path, "--out=badge.json"]) == 4
    assert json.loads(Path("badge.json").read_text(encoding="utf-8"))["message"] == "unknown"
    assert main(["comment", path, "--out=comment.md"]) == 4
    assert "is damaged: it says passed, exit 1, and what it found comes to lost, exit 1" in capsys.readouterr().err
    assert main(["history", path]) == 1


def test_they_need_little(tmp_path):
    """The job that merges installs jinja2, msgspec and rich and nothing else."""
    paths = write(tmp_path, shard("lab"), shard("clinic"))
    commands = [["merge", *paths], ["comment", paths[0]], ["badge", paths[0]], ["history", *paths]]
    program = (
        f"import sys, zsgate.cli as c\nfor each in {commands}: assert c.main(each) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", _with_path(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded - {"zsgate", "__main__", "__mp_main__"} <= {
        *("jinja2", "markupsafe", "msgspec", "rich", "pygments", "markdown_it", "mdurl", "typing_extensions"),
    }


def _with_path(program: str) -> str:
    return f"import sys; sys.path[:] = {sys.path}\n{program}"


@pytest.fixture
def model(tmp_path) -> Path:
    """Write a model whose code is two files, and its weights."""
    (tmp_path / "mine.py").write_text("import helper\n\ndef embed(adata):\n    return helper.rows(adata)\n")
    (tmp_path / "helper.py").write_text("def rows(adata):\n    return adata.X\n")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.pt").write_bytes(b"1")
    return tmp_path


def test_a_key_of_the_cache_changes_with_whatever_computes(model, capsys):
    """Code, helpers, weights, settings, datasets: another key; nothing changed: the same, in any process."""

    def key(*options: str) -> str:
        program = f"import sys, zsgate.cli as c; sys.exit(c.main({['cache', 'key', '--model=mine:embed', *options]}))"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=model, check=True)
        return done.stdout.strip()

    usual = ("--weights=weights", "--also=lab")
    seen = [key(*usual)]
    assert key(*usual) == seen[0]
    assert seen[0].startswith("zsgate-0.1.0-")
    seen += [key("--weights=weights", "--also=clinic"), key("--also=lab")]
    changes = {"helper.py": "def rows(adata):\n    return adata.X + 1\n", "weights/model.pt": "2"}
    for name, text in {**changes, "mine.py": "def embed(adata):\n    return adata.X\n", "pyproject.toml": ""}.items():
        (model / name).write_text(text)
        seen.append(key(*usual))
    assert len(set(seen)) == len(seen)


def test_a_model_without_source_has_no_key(tmp_path, capsys):
    """No key at all is better than one that other code shares."""
    assert main(["cache", "key", "--model=no_such_module:embed"]) == 4
    assert main(["cache", "key", "--model=cellama", "--weights=nowhere"]) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert "source of no_such_module cannot be found" in said.err

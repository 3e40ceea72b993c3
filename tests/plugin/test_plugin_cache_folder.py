"""Whatever becomes of the cache folder is nobody's loss, and what another machine made is looked at first."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

HVG = ("-k", "hvg and nmi")

MORE = '''
import os, shutil
from models import Trained, bad, good


class Noting(Trained):
    """Noise that is kept under a fingerprint; notes how many cells it is asked for."""

    off = 0.0

    def embed(self, adata):
        with open("asked.txt", "a") as log:
            log.write(f"{adata.n_obs}\\\\n")
        return bad(adata) + float(os.environ.get("OFF", 0))


def vanishing(adata):
    shutil.rmtree("cache", ignore_errors=True)
    return good(adata)
'''.replace("\\\\n", "\\n")


@pytest.fixture
def cached(project, gate):
    """Return the gate with more models, and the folder of what it keeps."""
    project.makepyfile(more=MORE)
    return gate, project.path / "cache"


def asked(project):
    """Return how many cells the model was asked for, call by call, and forget it."""
    path = project.path / "asked.txt"
    found = list(map(int, path.read_text().split())) if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def command(*arguments):
    """Run a command of zsgate's and return what it prints."""
    done = subprocess.run([sys.executable, "-m", "zsgate", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.slow
def test_an_embedding_from_another_machine_is_proven_first(cached, project, verdict, monkeypatch):
    """The same verdicts as where it was made, of few cells embedded, which is said; of another model none is used."""
    gate, cache = cached
    assert gate("more:Noting", *HVG).ret == 1
    there, cells = verdict(), asked(project)
    assert max(cells) == 240
    said = command("cache", "export", str(project.path / "x.tar"), "--cache", str(cache), "--model", "more:Noting")
    assert "1 embedding" in said
    for off, caveats in (("0", 1), ("5", 0)):
        shutil.rmtree(cache)
        command("cache", "import", str(project.path / "x.tar"), "--cache", str(cache))
        monkeypatch.setenv("OFF", off)
        assert gate("more:Noting", *HVG).ret == 1
        assert (max(asked(project)) < 240) == bool(caveats)
        found = [each for each in verdict()["caveats"] if "from elsewhere; 16 of 240 cells" in each]
        assert len(found) == caveats
        if caveats:
            assert verdict()["verdicts"] == there["verdicts"]


@pytest.mark.parametrize("kind", ["a file", "a link"])
def test_a_cache_that_is_no_folder_is_refused(cached, kind):
    """Exit 4 before anything runs, with the folder and what to do."""
    gate, cache = cached
    cache.write_text("") if kind == "a file" else cache.symlink_to("nowhere")
    refused = gate("models:good", *HVG)
    assert refused.ret == 4
    said = "it is no folder" if kind == "a file" else "is a link to nowhere, which is not there"
    refused.stderr.fnmatch_lines([f"*--cache {cache}: *{said}; --cache DIR or ZSGATE_CACHE names another folder"])


@pytest.mark.slow
def test_a_cache_that_disappears_costs_nothing_but_time(cached, verdict):
    """Removed by somebody while the candidate embeds: the run ends as it would have, and says so."""
    gate, cache = cached
    result = gate("more:vanishing", *HVG)
    assert result.ret == 0
    assert verdict()["gate"] == "passed"
    result.stdout.fnmatch_lines([f"*{cache}/* cannot be written to (No such file or directory)*"])


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("mount"), reason="needs Linux's mount")
def test_a_cache_without_room_costs_nothing_but_time(cached, verdict):
    """A disk with room for nothing: computed, not kept, said; read-only, it is refused before anything runs."""
    gate, cache = cached
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "mode=755,size=4k", "tmpfs", cache]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("this account may not mount file systems")
    try:
        result = gate("models:good", *HVG)
        assert (result.ret, verdict()["gate"]) == (0, "passed")
        result.stderr.fnmatch_lines([f"zsgate: {cache}/*(No space left on device); --cache DIR*is not kept"])
        subprocess.run(["mount", "-o", "remount,ro", cache], check=True)
        refused = gate("models:good", *HVG)
        assert refused.ret == 4
        refused.stderr.fnmatch_lines([f"*--cache {cache}: cannot write there (Read-only file system)*"])
    finally:
        subprocess.run(["umount", "-l", cache], check=True)

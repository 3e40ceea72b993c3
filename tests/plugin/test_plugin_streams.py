"""Streams closed, full or read by nobody, and interrupts as the pages are written: exit code and page stand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zsgate.plugin.surroundings.streams import Lenient

ONE = ("-k", "hvg and asw")
FILLED = """
import sys
from zsgate.plugin.surroundings.streams import fill_closed
fill_closed()
with open("opened", "w") as file:
    assert file.fileno() > 2, file.fileno()
print("to nobody")
print("to nobody", file=sys.stderr)
assert sys.stdin.read() == ""
"""


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_stream_becomes_the_null_device(tmp_path, closed):
    """No file that is opened later has its number, and whoever prints or reads goes on."""
    code = subprocess.run(
        ["bash", "-c", f'exec {closed}; exec "$@"', "bash", sys.executable, "-c", FILLED],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode
    assert code == 0
    assert (tmp_path / "opened").read_text() == ""


@pytest.mark.parametrize("buffered", [True, False])
def test_words_that_nobody_reads_are_dropped(buffered):
    """From the first write or flush that fails on, also when the stream is closed."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8", buffering=-1 if buffered else 1) as stream:
        lenient = Lenient(stream)
        assert lenient.write("one\n") == 4
        lenient.flush()
        assert lenient.write("two\n" * 10_000) == 40_000
        assert lenient.encoding == "utf-8"


@pytest.mark.parametrize(
    "spoiled", [">/dev/full", *(pytest.param(each, marks=pytest.mark.slow) for each in ("1>&-", "2>&-", "> >(exit)"))]
)
def test_a_run_whose_output_nobody_takes_ends_as_any(project, verdict, spoiled):
    """Exit 0 where every verdict passed; without the gate pytest ends with 1."""
    words = [sys.executable, "-m", "pytest", "--model=models:good", "--tier=quick", "--datasets=cells.h5ad"]
    words += ["--label=cell_type", "--batch=sample", "--donor=donor", "-p", "no:hypothesispytest", *ONE]
    process = subprocess.run(
        ["bash", "-c", f'exec {spoiled}; exec "$@"', "bash", *words], cwd=project.path, capture_output=True, check=False
    )
    assert process.returncode == 0
    assert verdict()["gate"] == "passed"


INTERRUPTS = """
import os

seen, put = 0, os.replace

def replace(source, target, **more):
    global seen
    if str(target).endswith("zsgate-report/{name}"):
        seen += 1
        if seen == 2:  # the first says that the run was started
            raise KeyboardInterrupt
    put(source, target, **more)

os.replace = replace
"""


@pytest.mark.parametrize("name", ["verdict.json", pytest.param("index.html", marks=pytest.mark.slow)])
def test_an_interrupt_between_the_pages_is_one_like_any_other(gate, project, verdict, name):
    """Exit 2, both pages say interrupted, and no traceback is the last word."""
    project.makepyfile(interrupts=INTERRUPTS.format(name=name))
    result = gate("models:good", *ONE, "-p", "interrupts")
    assert result.ret == 2
    assert verdict()["gate"] == "interrupted"
    assert "INTERRUPTED" in (project.path / "zsgate-report" / "index.html").read_text(encoding="utf-8")
    assert "Traceback" not in str(result.stderr)
    result.stdout.fnmatch_lines(["exit 2: interrupted; what was computed is kept"])


def test_an_error_of_the_machine_in_pytest_itself_is_said(gate, project, verdict):
    """As where no process can be started for a worker: exit 3, and a sentence with a remedy at the end."""
    project.makeconftest(
        """
        import errno
        import os

        def pytest_runtest_protocol(item):
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        """
    )
    result = gate("models:good", *ONE)
    assert result.ret == 3
    assert verdict()["gate"] == "broke"
    result.stdout.fnmatch_lines(["exit 3: internal error: Resource temporarily unavailable; raise the limits of*"])


def test_nowhere_to_write_temporary_files_is_said(project, verdict):
    """Exit 4 and the variable that helps, before pytest captures output in one."""
    project.makepyfile(nowhere="import tempfile\n\ntempfile._candidate_tempdir_list = lambda: ['/nowhere']\n")
    result = project.runpytest_subprocess("-p", "nowhere", "--model=models:good", "-k", "hvg and asw")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: zsgate: nowhere can a temporary file be written (*); TMPDIR names a folder"])

"""What could have changed a run is on its record: settings, options, conftests, plugins; and no secret is."""

from __future__ import annotations

import pytest

from zsgate.system.files import sha256_of

SELECT = ("-k", "hvg and asw")


def test_settings_options_conftests_and_plugins_are_named(gate, project, verdict):
    """By the file that was read, what it says, and digests; credentials are nowhere."""
    project.makepyprojecttoml('[tool.zsgate]\nmargin = 0.01\nmirror = "https://me:hidden-token@host.example/x"\n')
    project.makeconftest("# what a repository adds")
    project.makepyfile(extra="# a plugin of one file")
    result = gate("models:good", *SELECT, "-p", "extra")

    assert result.ret == 0, result.stdout.str()
    found = verdict()["provenance"]
    assert found["settings_file"] == str(project.path / "pyproject.toml")
    assert found["options"]["margin"] == "0.01"
    assert found["options"]["mirror"] == "https://host.example/x"
    assert found["options"]["tier"] == "quick"
    for name in ("conftest.py", "extra.py"):
        assert found["plugins"][str(project.path / name)] == f"sha256 {sha256_of(project.path / name)[:12]}"
    assert found["plugins"]["pytest-xdist"]
    result.stdout.fnmatch_lines([f"zsgate: settings are those of {project.path / 'pyproject.toml'}"])
    written = [path.read_text(encoding="utf-8") for path in (project.path / "zsgate-report").glob("*.*")]
    assert not any("hidden-token" in text for text in (*written, result.stdout.str(), result.stderr.str()))


@pytest.mark.slow
def test_settings_are_those_of_the_file_that_pytest_reads(gate, project, verdict):
    """-c and --rootdir name it; a file of pytest's own without our table leaves the nearest one."""
    project.mkdir("packages").joinpath("a").mkdir()
    there = project.path / "packages" / "a" / "pyproject.toml"
    there.write_text("[tool.pytest.ini_options]\n[tool.zsgate]\nmargin = 0.02\n", encoding="utf-8")
    project.makepyprojecttoml("[tool.zsgate]\nmargin = 0.01\n")
    for args, margin in (
        (("-c", "packages/a/pyproject.toml", "--rootdir=."), "0.02"),
        (("--rootdir=packages/a",), "0.02"),
        ((), "0.01"),
    ):
        assert gate("models:good", *SELECT, *args).ret == 0
        assert verdict()["provenance"]["options"]["margin"] == margin

"""Room: disks that are full, from the start or in the middle, in each of the places that a run writes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.faults.gate import Ask
from benchmarks.faults.promises import broken, parts
from benchmarks.faults.scenario import Bench, Scenario, Try, lacks_mounts

PLACES = {
    "the store": ("cache",),
    "the report's folder": ("zsgate-report",),
    "the temporary folder": ("temporary",),
    "all three": ("cache", "zsgate-report", "temporary"),
}
SIZES = (4, 40, 200, 1000)  # KiB; a run takes 3 MB
SAID = "(?i)no space left|cannot write|cannot be written|needs .* free"


def tries(folders: tuple[str, ...]) -> Callable[[Bench], Iterator[Try]]:
    """Return the tries in which folders have room for so much and no more; and then all of it."""

    def each(bench: Bench) -> Iterator[Try]:
        for size in SIZES:
            project = bench.project()
            (project.folder / "temporary").mkdir()
            mount = "\n".join(
                f"mkdir -p {name} && mount -t tmpfs -o size={size}k,mode=755 none {name}" for name in folders
            )
            room = {"TMPDIR": str(project.folder / "temporary")}
            ended = project.gate(Ask(before=mount, mounts=True, environment=room))
            yield Try(f"{size} KiB", broken(ended, 0, 3, 4, says=SAID))
            ended = project.gate(Ask(environment=room))
            left = parts(project)
            yield Try("then enough", (*broken(ended, 0), *([f"files were begun and left: {left}"] if left else [])))

    return each


def limited(bench: Bench) -> Iterator[Try]:
    """Try limits on the size of a file."""
    for size in (1, 20, 100, 1000):
        project = bench.project()
        yield Try(
            f"{size} KiB a file",
            broken(project.gate(Ask(before=f"ulimit -f {size}")), 0, 3, 4, says="(?i)too large|cannot"),
        )
        yield Try("then none", broken(project.gate(Ask()), 0))


def of_candidate(bench: Bench) -> Iterator[Try]:
    """Try a candidate that fills a disk itself, which nobody can tell from a disk that is full."""
    project = bench.project()
    yield Try("", broken(project.gate(Ask(model="Writes", before="ulimit -f 20000")), 3, says="File too large.*TMPDIR"))


SCENARIOS = (
    *(Scenario(f"disk: {name} full", tries(folders), lacks_mounts) for name, folders in PLACES.items()),
    Scenario("disk: files may not be large", limited),
    Scenario("disk: the candidate fills it", of_candidate),
)

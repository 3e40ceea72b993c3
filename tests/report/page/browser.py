"""Headless Chromium, to see a page as a reader does: what it measures, logs, asks for and shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks.picture import BROWSERS

CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
_OUTER = """<!doctype html><title>outer</title><pre id="said"></pre><script>
const said = document.getElementById("said");
addEventListener("message", event => { said.textContent += JSON.stringify(event.data) + "\\n"; });
</script>"""


def run(folder: Path, address: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Open a page and return what came out, the browser's log on standard error."""
    assert CHROMIUM is not None
    usual = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-quic")
    quiet = (
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        "--enable-logging=stderr",
    )
    command = [CHROMIUM, *usual, *quiet, f"--user-data-dir={folder / 'profile'}", *options, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def console(page: Path, *options: str) -> list[str]:
    """Return the messages of a page's console."""
    found = run(page.parent, page.as_uri(), "--virtual-time-budget=2000", "--dump-dom", *options).stderr
    return [line for line in found.splitlines() if "CONSOLE" in line]


def ask(page: Path, script: str, widths: tuple[int, ...], *options: str) -> dict[int, Any]:
    """Return what a script finds on a page at each width, in pixels of CSS.

    The copy that is asked lacks the policy that forbids scripts. ``script`` is the body of an async function.
    """
    within = f"""<script>
    const ask = async () => {{{script}}};
    addEventListener("load", async () => parent.postMessage([innerWidth, await ask()], "*"));
    </script>"""
    copy = page.with_name(f"{page.stem}-asked.html")
    copy.write_text(_POLICY.sub("", page.read_text(encoding="utf-8")).replace("</body>", f"{within}</body>"), "utf-8")
    frames = "".join(
        f'<iframe src="{copy.name}" width="{width}" height="900" style="border:0"></iframe>' for width in widths
    )
    outer = page.with_name("outer.html")
    outer.write_text(_OUTER + frames, encoding="utf-8")
    shown = run(
        page.parent, outer.as_uri(), "--window-size=2000,900", "--virtual-time-budget=20000", "--dump-dom", *options
    )
    said = re.search(r'<pre id="said">(.*?)</pre>', shown.stdout, re.DOTALL)
    assert said is not None
    text = said[1].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    found = dict(json.loads(line) for line in text.splitlines())
    assert found.keys() == set(widths)
    return found


def sheets(page: Path) -> int:
    """Return how many sheets of paper a page prints on."""
    target = page.with_suffix(".pdf")
    run(page.parent, page.as_uri(), "--no-pdf-header-footer", f"--print-to-pdf={target}")
    return max(map(int, re.findall(rb"/Count (\d+)", target.read_bytes())))

"""Take the picture of a run's page that the README shows; needs Chromium.

    pytest --model=cellama --tier=quick
    python -m benchmarks.picture [zsgate-report/index.html] [docs/page.png]

The page is opened as a reader opens it, 1,280 pixels wide, and its first screens are kept.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SIZE = 1280, 1500


def take(page: Path, picture: Path, *, size: tuple[int, int] = SIZE) -> None:
    """Write a PNG of the top of a page.

    Parameters
    ----------
    page
        An HTML file.
    picture
        Where to write.
    size
        Width and height in pixels.

    Raises
    ------
    FileNotFoundError
        Without Chromium, or without the page.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        msg = f"needs one of {', '.join(BROWSERS)}"
        raise FileNotFoundError(msg)
    address = page.resolve(strict=True).as_uri()
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}")
        what = (f"--window-size={size[0]},{size[1]}", f"--screenshot={picture.resolve()}", address)
        subprocess.run([browser, *options, *what], check=True, capture_output=True, timeout=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, nargs="?", default=Path("zsgate-report/index.html"))
    parser.add_argument("picture", type=Path, nargs="?", default=Path("docs/page.png"))
    asked = parser.parse_args()
    try:
        take(asked.page, asked.picture)
    except FileNotFoundError as error:
        sys.exit(str(error))
    print(f"{asked.picture}: {asked.picture.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

"""``python -m zsgate`` is ``zsgate``."""

import sys

from zsgate.cli import main

if __name__ == "__main__":
    sys.exit(main())

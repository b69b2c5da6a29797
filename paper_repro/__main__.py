"""``python -m paper_repro`` is the command ``paper-repro``."""

import sys

from paper_repro.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Run the command ``paper-repro`` by ``python -m paper_repro``."""

import sys

from paper_repro.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Import times of the packages: the best of several fresh processes, in processor seconds.

Run from the repository root: ``python -m benchmarks.import_time [--repeats 5]``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from benchmarks.machine import table

STATEMENTS = (
    "import numpy",
    "import planted",
    "import recovery",
    "import linear_lottery",
    "import figures",
    "import paper_repro",
    "from recovery import solve",
    "from recovery import fit_network",
    "from recovery import conditions",
    "from linear_lottery import imp",
)


def seconds(statement, repeats=5):
    """Return the least processor time that a statement takes in a fresh process."""
    code = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(repeats)
    ]
    return min(float(run.stdout) for run in runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = [[f"`{one}`", f"{seconds(one, options.repeats):.3f}"] for one in STATEMENTS]
    print(table(["statement", "seconds"], rows))


if __name__ == "__main__":
    main()

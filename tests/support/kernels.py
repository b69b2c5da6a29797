"""Run the numeric tests under other BLAS kernels than this machine's own, and with two threads.

OpenBLAS selects its kernels by the processor, and results of different kernels differ in their last bits. ``make
test-kernels`` runs this file: one pass for each of two other families of kernels, and one with two threads. NumPy and
SciPy each bring an OpenBLAS; a pass fails unless both use the requested kernels and number of threads.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = {
    "Haswell": {"Haswell", "Zen"},
    "SkylakeX": {"SkylakeX", "Cooperlake", "Sapphirerapids"},
    "Nehalem": {"Nehalem"},
    # builds for many processors call the Prescott kernels by the name of the first kernel with the same code
    "Prescott": {"Prescott", "Katmai", "Coppermine", "Northwood", "Banias"},
}
"""Value of OPENBLAS_CORETYPE -> the names that the library may then report for its kernels."""
NEEDED = {"Haswell": {"avx2", "fma"}, "SkylakeX": {"avx512f", "avx512vl", "avx512dq", "avx512bw"}}
"""Instruction sets that a family needs; the other families run on every x86-64 processor."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Pass:
    """One run of the numeric tests: `kernel` is a key of :data:`NAMES`, or None for the machine's own."""

    kernel: str | None
    threads: int

    @property
    def title(self):
        words = f"{self.kernel} kernels" if self.kernel else "the machine's own kernels"
        return f"{words}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    @property
    def options(self):
        """The kernels and threads that the tests require, as options of pytest."""
        kernel = [f"--blas-kernel={self.kernel}"] if self.kernel else []
        return [*kernel, f"--blas-threads={self.threads}"]

    def environment(self):
        """Return the environment of the pass."""
        inherited = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
        kernel = {"OPENBLAS_CORETYPE": self.kernel} if self.kernel else {}
        return inherited | dict.fromkeys(THREAD_VARIABLES, str(self.threads)) | kernel


def libraries():
    """Return threadpoolctl's information on each BLAS library in this process, after loading NumPy's and SciPy's."""
    import numpy.linalg
    import scipy.linalg
    from threadpoolctl import threadpool_info

    assert numpy.linalg is not None
    assert scipy.linalg is not None
    return [one for one in threadpool_info() if one["user_api"] == "blas"]


def words(found):
    """Return one line about the libraries."""
    each = [
        f"{one['internal_api']} {one['version']} {one.get('architecture', '')}".rstrip() + f" x{one['num_threads']}"
        for one in found
    ]
    return "BLAS: " + (", ".join(sorted(each)) or "none that threadpoolctl knows")


def complaint(found, kernel=None, threads=None):
    """Return a sentence that says how the libraries differ from the request, or an empty text."""
    if not found:
        return "no BLAS library is loaded that threadpoolctl knows, so its kernels and threads cannot be told"
    for one in found:
        name, used = Path(one["filepath"]).name, one.get("architecture")
        if kernel is not None and used not in NAMES.get(kernel, {kernel}):
            return f"{name} uses {used} kernels; expected those of OPENBLAS_CORETYPE={kernel}"
        if threads is not None and one["num_threads"] != threads:
            return f"{name} uses {one['num_threads']} threads; expected {threads}"
    return ""


def abilities():
    """Return the names of the processor's instruction sets in lower case, or an empty set if they cannot be read."""
    try:
        if sys.platform == "darwin":
            asked = ["sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features"]
            return set(subprocess.run(asked, capture_output=True, text=True, check=True).stdout.lower().split())
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    except (OSError, subprocess.CalledProcessError):
        pass
    return set()


def other_families(own, able, processor):
    """Choose two families of kernels.

    Parameters
    ----------
    own : list of dict
        The libraries under the machine's own kernels, as :func:`libraries` returns them.
    able : set of str
        As :func:`abilities`.
    processor : str
        As ``platform.machine()``.

    Returns
    -------
    chosen : list of str
        Keys of :data:`NAMES`; two on x86-64, with or without AVX.
    reason : str
        Why there are none, or empty.
    """
    if processor.lower() not in ("x86_64", "amd64"):
        return [], f"the kernels that are named here are those of x86-64 processors, and this one is {processor}"
    if not own or any(one["internal_api"] != "openblas" for one in own):
        return [], f"only OpenBLAS lets its kernels be chosen by name; {words(own)}"
    used = {one.get("architecture") for one in own}
    families = [name for name, names in NAMES.items() if not used & names and NEEDED.get(name, set()) <= able]
    # Haswell and SkylakeX first, then the old ones, Prescott before Nehalem: it differs most from all others
    order = ["Haswell", "SkylakeX", "Prescott", "Nehalem"]
    return sorted(families, key=order.index)[:2], ""


def passes(own, able, processor, cores):
    """Return the passes to make, and a sentence for each that is left out."""
    families, reason = other_families(own, able, processor)
    skipped = [f"no pass under other kernels: {reason}"] if reason else []
    chosen = [Pass(family, 1) for family in families]
    if cores > 1:
        chosen.append(Pass(None, 2))
    else:
        skipped.append("no pass with two threads: this process may use one core only")
    return chosen, skipped


def cores():
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def run(one, arguments):
    """Make a pass and return its exit code."""
    # the stand-in for arrays of a GPU calls the same routines of BLAS as NumPy's own arrays do
    chosen = ["-m", "numeric and not slow", "-k", "not standin"]
    command = [sys.executable, "-m", "pytest", *chosen, "-n", "auto", "--maxprocesses", "8"]
    command += [*one.options, "-q", *arguments]
    return subprocess.run(command, cwd=ROOT, env=one.environment(), check=False).returncode


def main(arguments):
    """Make all passes; further arguments are for pytest."""
    asked = [sys.executable, __file__, "--libraries"]
    told = subprocess.run(asked, capture_output=True, text=True, check=True, env=Pass(None, 1).environment())
    own = json.loads(told.stdout)
    print(f"test-kernels: the machine's own: {words(own)}", flush=True)
    chosen, skipped = passes(own, abilities(), platform.machine(), cores())
    for sentence in skipped:
        print(f"test-kernels: {sentence}", flush=True)
    failed = []
    for one in chosen:
        print(f"test-kernels: {one.title}", flush=True)
        started = time.monotonic()
        code = run(one, arguments)
        print(f"test-kernels: {one.title}: {'passed' if code == 0 else 'FAILED'}, {time.monotonic() - started:.0f} s")
        failed += [one.title] if code else []
    if failed:
        print(f"test-kernels: FAILED under {'; '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--libraries"]:
        print(json.dumps(libraries()))
    else:
        sys.exit(main(sys.argv[1:]))

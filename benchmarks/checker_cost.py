"""Time and memory of certificate checks: the checker's estimates compared with measurements.

Run from the repository root: ``python -m benchmarks.checker_cost`` (a minute) or with ``--full``. A fresh process
checks one file. Measured are its processor seconds, and its peak memory minus that of a process that checks a small
file (Linux).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.machine import machine, table
from recovery.certificates import Certificate, checker
from recovery.certificates.certificate import exact_matrix

RNG = np.random.default_rng(0)
RUN = """
import importlib.util, json, re, sys, time
spec = importlib.util.spec_from_file_location("checker", sys.argv[1])
checker = importlib.util.module_from_spec(spec)
sys.modules["checker"] = checker
spec.loader.exec_module(checker)
begin = time.process_time()
found = checker.check_file(sys.argv[2], 1e9, 1e9)
took = time.process_time() - begin
peak = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1e6  # the parent's is not in it
print(json.dumps([found.seconds, took, found.gigabytes, peak]))
"""


def dual(n, N, bits):
    """Return a bound with a dual matrix for which elimination runs to its end."""
    A = _floats(n, N, bits)
    U = _floats(N, N, 40)
    U = np.triu(U) + np.triu(U, 1).T
    return _eigenvalue(A, 4, {"method": "dual", "U": exact_matrix(U)}, 1000 * N)


def enumeration(n, N, s, bits):
    """Return a bound proved by enumeration of all supports."""
    return _eigenvalue(_floats(n, N, bits), s, {"method": "enumeration"}, 1000 * n)


def ones(N, s):
    """Return one row of ones."""
    return _eigenvalue(np.ones((1, N)), s, {"method": "enumeration"}, s)


def spread(n, N, s):
    """Return columns from 1e-100 to 1e100: integers of hundreds of digits."""
    A = RNG.standard_normal((n, N)) * 10.0 ** RNG.uniform(-100, 100, N)
    return _eigenvalue(A, s, {"method": "enumeration"}, 10**210)


def witness(n, N):
    """Return a vector of N entries."""
    claim = {"s": N, "bound": "-1"}
    proof = {"method": "witness", "support": list(range(N)), "vector": [str(k + 1) for k in range(N)]}
    return Certificate("largest-eigenvalue-witness", claim, {"A": exact_matrix(_floats(n, N, 53))}, proof)


def null_space(n, N):
    """Return multipliers of 32 binary digits."""
    data = {"A": exact_matrix(_floats(n, N, 53))}
    proof = {"method": "juditsky-nemirovski", "Y": exact_matrix(_floats(n, N, 32))}
    return Certificate("null-space", {"s": 3, "bound": str(10**9)}, data, proof)


def fractions(N):
    """Return denominators without common divisors."""
    primes = [p for p in range(10**6, 10**6 + 40 * N) if all(p % k for k in range(2, 1001))][:N]
    row = [f"1/{p**60}" for p in primes]
    return Certificate("null-space-witness", {"s": 1, "bound": "0"}, {"A": [row]}, {"vector": ["1"] * N})


def cases(full):
    """Yield the names and certificates to check."""
    for n, N in ((200, 40), (100, 60), *([(200, 100), (50, 140)] if full else [])):
        yield f"dual, {n} x {N}, 53 bits", dual(n, N, 53)
    yield "dual, 40 x 80, 10 bits", dual(40, 80, 10)
    for n, N, s in ((30, 30, 3), (100, 60, 2), (10, 20, 5), *([(40, 40, 4)] if full else [])):
        yield f"enumeration, {n} x {N}, s = {s}", enumeration(n, N, s, 53)
    for N, s in ((3000, 1), (8000, 1), (600, 2), *([(50_000, 1), (1500, 2)] if full else [])):
        yield f"ones, 1 x {N}, s = {s}", ones(N, s)
    yield "columns 1e-100 to 1e100, 20 x 20, s = 3", spread(20, 20, 3)
    yield "witness, 300 x 300", witness(300, 300)
    for n, N in ((30, 100), (100, 300), *([(300, 600)] if full else [])):
        yield f"null space, {n} x {N}", null_space(n, N)
    yield "denominators of 1200 bits, 80", fractions(80)


def measured(certificate, folder):
    """Return estimated and measured seconds, estimated and measured gigabytes."""
    path = Path(folder) / "certificate.json"
    certificate.save(path)
    run = [sys.executable, "-I", "-c", RUN, checker.__file__, str(path)]
    return json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def main(arguments=None):
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="larger files, a few minutes")
    options = parser.parse_args(arguments)
    print(f"{machine()}\n")
    rows, ratios = [], []
    with tempfile.TemporaryDirectory() as folder:
        floor = measured(ones(3, 1), folder)[3]
        for name, certificate in cases(options.full):
            expected, took, room, peak = measured(certificate, folder)
            ratios.append(expected / max(took, 1e-3))
            rows.append((name, f"{expected:.2f}", f"{took:.2f}", f"{1000 * room:.0f}", f"{1000 * (peak - floor):.0f}"))
    print(table(("certificate", "expected s", "took s", "expected MB", "took MB"), rows))
    spread_ = f"{min(ratios):.2f} to {max(ratios):.2f}, median {np.median(ratios):.2f}"
    print(f"\nExpected over real seconds: {spread_}.")


def _eigenvalue(A, s, proof, bound):
    return Certificate("largest-eigenvalue", {"s": s, "bound": str(bound)}, {"A": exact_matrix(A)}, proof)


def _floats(n, N, bits):
    return np.ldexp(np.rint(np.ldexp(RNG.standard_normal((n, N)), bits)), -bits)


if __name__ == "__main__":
    main()

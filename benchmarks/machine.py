"""Common parts of the benchmarks: a description of the machine, Markdown tables, timing of jobs in turns."""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path

import numpy as np


def machine():
    """Return cores, processor and versions as text, without host names."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{count} cores of {model}{load}, Python {platform.python_version()}, NumPy {np.__version__}"


def table(header, rows):
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(item) for item in line) + " |" for line in lines)


def seconds(function, clock=time.perf_counter):
    """Return the time of a call by a clock, and its result."""
    begin = clock()
    out = function()
    return clock() - begin, out


def medians(jobs, repeats, clock=time.perf_counter):
    """Return the median seconds of each job of a dict; jobs run in turns, so that a busy moment affects all alike."""
    spent = {name: [] for name in jobs}
    for _ in range(repeats):
        for name, job in jobs.items():
            spent[name].append(seconds(job, clock)[0])
    return {name: statistics.median(values) for name, values in spent.items()}

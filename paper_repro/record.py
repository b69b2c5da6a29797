"""Cells and their records: settings, results, and equality of records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paper_repro.encoding import encode

__all__ = ["Cell", "Record", "checksum", "comparable", "contents"]


@dataclass(frozen=True)
class Cell:
    """One unit of work: an experiment's name and version, and its settings.

    Parameters
    ----------
    experiment : str
        Name of the experiment.
    version : int
        Version of its computation; results of different versions are different cells.
    settings : dict
        Everything the result depends on, including ``dtype`` and ``seed``; JSON values only.
    """

    experiment: str
    version: int
    settings: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Name of the cell: 32 hexadecimal digits of the hash of its definition."""
        text = _canonical({"experiment": self.experiment, "version": self.version, "settings": dict(self.settings)})
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Record:
    """The stored record of a cell.

    Parameters
    ----------
    cell : Cell
        What was computed.
    status : {"done", "failed"}
        How it ended.
    message : str
        Why it failed; empty otherwise.
    metrics : dict
        Numbers and strings that depend only on the settings.
    arrays : dict of numpy.ndarray
        Larger results that depend only on the settings.
    run : dict
        Information that may differ between runs: wall time in seconds, peak memory in bytes, versions, machine, device,
        warnings.
    """

    cell: Cell
    status: str
    message: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    run: Mapping[str, Any] = field(default_factory=dict)


def comparable(record: Record) -> dict[str, Any]:
    """Return the part of a record that depends only on its settings.

    Two stores are equal when their cells are equal in this sense: wall time, memory, versions, machine,
    device and warnings (``record.run``) are excluded, everything else is compared bitwise.

    Parameters
    ----------
    record : Record
        A record.

    Returns
    -------
    dict
        JSON values; arrays appear as the hash of their dtype, shape and bytes.
    """
    return {
        **contents(record),
        "arrays": {name: _digest(value) for name, value in sorted(record.arrays.items())},
    }


def contents(record: Record) -> dict[str, Any]:
    """Return a record's content as JSON values, without arrays and the circumstances of the run."""
    return {
        "key": record.cell.key,
        "experiment": record.cell.experiment,
        "version": record.cell.version,
        "settings": dict(record.cell.settings),
        "status": record.status,
        "message": record.message,
        "metrics": encode(dict(record.metrics)),
    }


def checksum(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a JSON document, independent of the order of its keys."""
    return hashlib.sha256(_canonical(document).encode()).hexdigest()


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(array: np.ndarray) -> str:
    head = f"{array.dtype.str}{array.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(array).tobytes()).hexdigest()

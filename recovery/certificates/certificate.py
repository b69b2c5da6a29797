"""Certificates: a claim, the data it refers to, and a proof that can be checked in exact arithmetic."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_number, check_same_rows
from planted.base.exactness import check_exact, exact_numbers
from planted.base.markup import card
from planted.base.values import by_value
from recovery.exact.intervals import outward

__all__ = ["FORMAT", "KINDS", "Certificate", "data_bytes", "exact", "exact_matrix", "rational"]

FORMAT = "recovery-certificate"
VERSION = 1
LONGEST = 4000
"""Largest number of characters of a number in a file."""
KINDS = (
    "largest-eigenvalue",
    "smallest-eigenvalue",
    "largest-eigenvalue-witness",
    "smallest-eigenvalue-witness",
    "isometry",
    "null-space",
    "null-space-witness",
    "l1-dual",
    "network",
)
"""Kinds of certificates; ``paper-repro check`` has a rule for each."""


def exact(value: Any) -> str:
    """Return a number exactly, as ``"p"`` or ``"p/q"``; a float is converted to the rational number it represents.

    Parameters
    ----------
    value : int, float, Fraction, Decimal, NumPy number or str
        A finite number; strings are parsed by ``fractions.Fraction``.

    Returns
    -------
    str
        A string that ``fractions.Fraction`` can parse.

    Raises
    ------
    TypeError, ValueError
        If it is not a real number, or is NaN or infinite.
    """
    if isinstance(value, str):
        return str(rational(value, "value"))
    number = exact_numbers(value, "value")
    if number.ndim:
        raise ValueError(f"value has shape {number.shape}; expected one number, or exact_matrix for more")
    return _text(number.item() if number.dtype.kind != "f" else number[()])


def exact_matrix(values: Any) -> list[Any]:
    """Return an array of numbers as nested lists of exact strings.

    Parameters
    ----------
    values : array, frame or nested sequence of numbers
        Of any dimension; integers of any size, Fractions and floats are converted exactly.

    Returns
    -------
    list
        Nested like the array.

    Raises
    ------
    TypeError, ValueError
        If an element is not a finite real number.
    """
    found = exact_numbers(values, "values")
    return _nested(found.tolist())


def rational(text: Any, name: str) -> Fraction:
    """Return the Fraction that a string of at most 4,000 characters represents.

    Parameters
    ----------
    text : str
        Such as ``"1/3"``, ``"-7"`` or ``"0.25"``; exponents have at most four digits, because a file might contain
        ``"1e999999999"``, an integer that exhausts memory.
    name : str
        The argument's name, for the message.

    Returns
    -------
    Fraction
        The exact value.

    Raises
    ------
    ValueError
        If it is not such a string.
    """
    exponent = re.search(r"[eE][+-]?([0-9_]+)", text) if isinstance(text, str) else None
    if isinstance(text, str) and len(text) <= LONGEST and (exponent is None or len(exponent[1]) <= 4):
        try:
            return Fraction(text)
        except (ValueError, ZeroDivisionError):
            pass
    raise ValueError(
        f"{name}={repr(text)[:60]} is not a rational number; expected a string such as '1/3', of at most {LONGEST} "
        "characters"
    )


def _nested(values: Any) -> Any:
    return [_nested(one) for one in values] if isinstance(values, list) else _text(values)


def _text(value: Any) -> str:
    try:
        numerator, denominator = value.as_integer_ratio()
    except (OverflowError, ValueError) as error:
        raise ValueError(f"value={value!r} is not a rational number; expected a finite number") from error
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


@by_value
@dataclass(frozen=True, repr=False)
class Certificate:
    """A proved bound, with everything needed to verify the proof.

    Parameters
    ----------
    kind : str
        One of :data:`KINDS`; it determines the contents of `claim`, `data` and `proof` (docs/appendix/certificates.md).
    claim : mapping
        The statement, such as ``{"s": 4, "bound": "1471/1000"}``.
    data : mapping
        The data that the claim refers to, such as ``{"A": [[...], ...]}``, with numbers as exact strings
        (:func:`exact`).
    proof : mapping
        What the checker needs in addition to the data, such as ``{"U": [[...], ...]}``.
    made_by : mapping
        How it was found (solver, settings, time); ignored by the checker and by ``==``.

    Raises
    ------
    ValueError
        If `kind` is unknown.
    """

    kind: str
    claim: Mapping[str, Any]
    data: Mapping[str, Any] = field(repr=False)
    proof: Mapping[str, Any] = field(default_factory=dict, repr=False)
    made_by: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_choice(self.kind, "kind", KINDS)

    def __repr__(self) -> str:
        return f"Certificate({self.kind!r}, claim={reprlib.repr(dict(self.claim))})"

    def _repr_html_(self) -> str:
        pairs = [(name, reprlib.repr(value)) for name, value in self.claim.items()]
        pairs.append(("proof", ", ".join(self.proof) or "none"))
        return card(f"Certificate: {self.kind}", pairs)

    @property
    def bound(self) -> float:
        """The claimed bound as a float, rounded to the side on which it remains valid.

        Raises
        ------
        ValueError
            If a claim of this kind has no bound.
        """
        if "bound" not in self.claim:
            raise ValueError(f"a certificate of kind {self.kind!r} claims no bound")
        claimed = rational(self.claim["bound"], "bound")
        upper = self.kind in ("largest-eigenvalue", "smallest-eigenvalue-witness", "null-space")
        return outward(claimed, math.inf if upper else -math.inf)

    @property
    def radius(self) -> float:
        """For networks: how far each line may move before a gate changes; infinite if there are no lines.

        Raises
        ------
        ValueError
            If the certificate is not about a network; the same holds for ``reach``, ``sigma_min``, ``residual`` and
            ``error_bound``.
        """
        return self._least("radius")

    @property
    def reach(self) -> float:
        """For networks: how far each line may move while ``error_bound`` holds; infinite without lines."""
        return self._least("reach")

    def _least(self, key: str) -> float:
        values = [rational(line[key], key) for line in self._of_network("lines")]
        return outward(min(values), -math.inf) if values else math.inf

    @property
    def sigma_min(self) -> float:
        """For networks: a lower bound on the smallest singular value of its matrix, as long as no gate changes."""
        return outward(rational(self._of_network("sigma"), "sigma"), -math.inf)

    @property
    def residual(self) -> float:
        """For networks: an upper bound on |y - f|."""
        return outward(rational(self._of_network("residual"), "residual"), math.inf)

    @property
    def error_bound(self) -> float:
        """For networks: 2 |y - f| / sigma_min, the largest distance of a network within reach that fits as well."""
        residual, sigma = (rational(self._of_network(key), key) for key in ("residual", "sigma"))
        return outward(2 * residual / sigma, math.inf)

    def _of_network(self, key: str) -> Any:
        if self.kind != "network":
            raise ValueError(f"a certificate of kind {self.kind!r} is not about a network")
        return self.claim[key]

    def to_json(self) -> str:
        """Return the certificate as JSON text."""
        content = {
            "format": FORMAT,
            "version": VERSION,
            "kind": self.kind,
            "claim": dict(self.claim),
            "data": dict(self.data),
            "proof": dict(self.proof),
            "made_by": dict(self.made_by),
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | os.PathLike[str], data: tuple[Any, Any] | None = None) -> None:
        """Write the certificate to a JSON file.

        Parameters
        ----------
        path : path
            File name.
        data : tuple of array, optional
            X and y, for a certificate that stores only their hash. They are written next to it, to a file of the same
            name with the ending ``.npy``: one float64 array whose last column is y.

        Raises
        ------
        ValueError
            If the data are not those that the certificate refers to.
        """
        if data is not None:
            content = data_bytes(*data)
            expected = self.data.get("sha256")
            if hashlib.sha256(content).hexdigest() != expected:
                what = "contains its data" if expected is None else "refers to other data"
                raise ValueError(f"data do not belong to this certificate, which {what}")
            beside = Path(path).with_suffix(".npy")
            if beside == Path(path):
                raise ValueError(
                    f"path={os.fspath(path)!r} is the name of the data file; expected another ending, such as .json"
                )
            np.save(beside, np.frombuffer(content, dtype="<f8").reshape(self.data["rows"], -1))
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Certificate:
        """Read a certificate without checking it.

        Parameters
        ----------
        path : path
            A file written by :meth:`save`.

        Returns
        -------
        Certificate
            A certificate equal to the saved one.

        Raises
        ------
        ValueError
            If the file does not contain a certificate.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:  # also for integers of thousands of digits and unlimited nesting
            raise ValueError(
                f"{os.fspath(path)} does not contain JSON ({error}); expected a saved certificate"
            ) from error
        if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
            raise ValueError(
                f"{os.fspath(path)} does not contain a certificate of format {FORMAT!r}, version {VERSION}"
            )
        parts = {name: content.get(name, {}) for name in ("claim", "data", "proof", "made_by")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise ValueError(f"{os.fspath(path)} does not contain a certificate: {', '.join(parts)} must be objects")
        return Certificate(str(content.get("kind")), **parts)

    def check(self, *, seconds: float | None = None, gigabytes: float | None = None, data: Any = None) -> Any:
        """Verify the certificate in exact arithmetic, with a checker that shares no code with the code that made it.

        Parameters
        ----------
        seconds, gigabytes : float, optional
            Limits of the check; by default those of :mod:`recovery.certificates.checker`. A check expected to exceed
            them is refused before it begins.
        data : tuple of array, or path, optional
            X and y, for a certificate that stores only their hash, or the ``.npy`` file with both.

        Returns
        -------
        recovery.certificates.checker.Report
            ``.valid`` and ``.reason``.
        """
        source = data_bytes(*data) if isinstance(data, (tuple, list)) else data
        checker = importlib.import_module("recovery.certificates.checker")
        return checker.check_text(
            self.to_json(),
            checker.SECONDS if seconds is None else check_number(seconds, "seconds", minimum=0.0),
            checker.GIGABYTES if gigabytes is None else check_number(gigabytes, "gigabytes", minimum=0.0),
            source,
        )


def data_bytes(X: Any, y: Any) -> bytes:
    """Return the numbers of X, shape (n, d), and y, shape (n,), row by row, as little-endian float64.

    Parameters
    ----------
    X, y : array
        On any device; numbers that float64 would round are rejected.

    Returns
    -------
    bytes
        The bytes that a certificate's SHA-256 refers to: 8 n (d + 1) bytes, in which each y follows its row of X.
    """
    X, y = (arrays.to_numpy(check_exact(one, name, ndim=2 - (name == "y"))) for one, name in ((X, "X"), (y, "y")))
    check_same_rows(X, "X", y, "y")
    return bytes(np.ascontiguousarray(np.column_stack([X, y]), dtype="<f8").data)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object in which no key occurs twice, since readers could disagree about duplicate keys."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found

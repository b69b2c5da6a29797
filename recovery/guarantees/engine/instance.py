"""Instances: recovery problems together with the known ground truth."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import reprlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.checks import check_choice, check_integer, check_number
from planted.base.exactness import check_exact, refuse_rounded
from planted.base.files import write_whole
from planted.base.values import by_value
from recovery.exact.bounded import exponents
from recovery.operators.columns import all_columns
from recovery.operators.dense import as_operator, is_operator
from recovery.operators.gated import GatedOperator

__all__ = ["LAWS", "SCALES", "UNITS", "Instance", "NoiseLaw", "in_range"]


_STUDENT_DF = 3.0
_DRAW: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "gaussian": lambda rng, n: rng.standard_normal(n),
    "rademacher": lambda rng, n: rng.choice([-1.0, 1.0], size=n),
    "uniform": lambda rng, n: rng.uniform(-math.sqrt(3.0), math.sqrt(3.0), size=n),
    "laplace": lambda rng, n: rng.laplace(scale=math.sqrt(0.5), size=n),
    "student": lambda rng, n: rng.standard_t(_STUDENT_DF, size=n) * math.sqrt((_STUDENT_DF - 2.0) / _STUDENT_DF),
}
_SUB_GAUSSIAN = frozenset({"gaussian", "rademacher", "uniform"})

LAWS = tuple(_DRAW)
"""Names of the laws; ``"laplace"`` and ``"student"`` (3 degrees of freedom) are not sub-Gaussian."""


@dataclass(frozen=True)
class NoiseLaw:
    """Independent centred noise with a common standard deviation.

    Parameters
    ----------
    name : {"gaussian", "rademacher", "uniform", "laplace", "student"}
        Law of an entry.
    sigma : float
        Standard deviation of an entry, at least 0.

    Raises
    ------
    ValueError
        If the law is unknown or `sigma` is negative.

    Notes
    -----
    Noise xi is sigma-sub-Gaussian if E exp(t xi) <= exp(sigma^2 t^2 / 2) for all t. Gaussian noise is, with
    equality. So are random signs, cosh(t) <= exp(t^2 / 2), and uniform noise, sinh(a t) / (a t) <=
    exp(a^2 t^2 / 6), both by comparing power series term by term: for these three the sub-Gaussian
    constant is the standard deviation.
    """

    name: str
    sigma: float

    def __post_init__(self) -> None:
        check_choice(self.name, "name", LAWS)
        check_number(self.sigma, "sigma", minimum=0.0)

    @property
    def sub_gaussian(self) -> float | None:
        """The sub-Gaussian constant sigma, or None for a law with heavier tails."""
        return self.sigma if self.name in _SUB_GAUSSIAN else None

    @property
    def is_gaussian(self) -> bool:
        """Whether entries are N(0, sigma^2)."""
        return self.name == "gaussian"

    def draw(self, n: int, rng: Any = None) -> np.ndarray:
        """Draw noise.

        Parameters
        ----------
        n : int
            Number of entries.
        rng : int, Generator or None
            Source of randomness.

        Returns
        -------
        numpy.ndarray, shape (n,)
            float64.
        """
        return self.sigma * _DRAW[self.name](arrays.generator(rng), check_integer(n, "n", minimum=1))


_ARRAYS = ("y", "x", "noise", "x0")
_TINY = math.ulp(0.0)


@by_value
@dataclass(frozen=True, eq=False, repr=False)
class Instance:
    """A problem y = A x + noise, with x, the noise and its law as far as they are known.

    Parameters
    ----------
    A : array or Operator, shape (n, N)
        Sensing matrix or design.
    y : array, shape (n,)
        Data; if `x` and `noise` are given, A x + noise up to rounding.
    sparsity : int
        s, from 0 to N.
    x : array, shape (N,), optional
        The planted vector.
    noise : array, shape (n,), optional
        The noise that was added; zeros mean no noise, None that it is unknown. If y is float32, its rounding error
        counts as noise and is added.
    x0 : array, shape (N,), optional
        Start of an iteration, or the initial weights.
    law : NoiseLaw, optional
        The law that the noise was drawn from, independently of A and x.
    options : mapping, optional
        Further inputs of guarantees (``"flow_time"``, ``"tau"``, ``"lam"``, ``"schedule"``, ...) and the origin of the
        instance (``"design"``, ``"seed"``): numbers, strings, bools and None.

    Raises
    ------
    TypeError, ValueError
        If a shape does not fit, a number is not finite or would be rounded in float64, or y differs from a given A x +
        noise by more than rounding.

    Notes
    -----
    Guarantees are checked on the CPU in float64: arrays on a GPU are copied, and an operator is formed as a matrix
    (:attr:`matrix`) of n N numbers. Arrays and options are copied, and NumPy copies are read-only, so that results
    about an instance stay valid; an operator is not copied.

    An instance must be consistent: y = A x + noise. A sum of k products and the noise is computed in any order with an
    error of at most (k + 1) u (|A| |x| + |noise|), u = 2^-53, entry by entry; y and the sum that it is compared with
    have one each, and two more roundings are allowed for weights computed from a network. A larger difference raises an
    error. The remaining difference is the :attr:`misfit`, by which hypotheses about the noise, which use `noise`, and
    conclusions, which use `y`, may disagree. It is computed in units in which nothing leaves the range.
    """

    A: Any
    y: Any
    sparsity: int
    x: Any = None
    noise: Any = None
    x0: Any = None
    law: NoiseLaw | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if is_operator(self.A):
            object.__setattr__(self, "A", as_operator(self.A))
            refuse_rounded(self.A, proves=False)
        else:
            object.__setattr__(self, "A", _frozen(check_exact(self.A, "A", ndim=2).copy()))
        if not isinstance(self.options, Mapping):
            raise TypeError(f"options={self.options!r} is of type {type(self.options).__name__}; expected a mapping")
        object.__setattr__(self, "options", dict(self.options))
        n, size = (int(length) for length in self.A.shape)
        single = False
        for name, length in zip(_ARRAYS, (n, size, n, size), strict=True):
            value = getattr(self, name)
            if value is not None:
                checked = check_exact(value, name, ndim=1, shape=(length,))
                single |= name == "y" and checked.dtype == np.float32
                object.__setattr__(self, name, _frozen(arrays.to_numpy(checked).astype(np.float64)))
        if self.y is None:
            raise TypeError("y=None is not an array; expected the data as an array of real numbers")
        check_integer(self.sparsity, "sparsity", minimum=0, maximum=size)
        if self.law is not None and not isinstance(self.law, NoiseLaw):
            raise TypeError(f"law={self.law!r} is of type {type(self.law).__name__}; expected a NoiseLaw or None")
        if self.x is not None and self.noise is not None:
            off, size_of, exponent = self._difference()
            if single and np.any(np.abs(off) > self._rounding(size_of, 2.0**-52, exponent)):
                if np.all(np.abs(off) <= self._rounding(size_of, 2.0**-23, exponent)):
                    object.__setattr__(self, "noise", _frozen(self.noise + np.ldexp(off, exponent)))
                    off, size_of, exponent = self._difference()
            if not np.all(np.abs(off) <= self._rounding(size_of, 2.0**-52, exponent)):
                worst = float(np.max(np.ldexp(np.abs(off), exponent)))
                expected = "expected y = A x + noise up to rounding in float64, as Instance.planted computes it"
                raise ValueError(f"y differs from A x + noise by up to {worst:.3g}; {expected}")
            self.__dict__["misfit"] = self._left(off, size_of, exponent)

    def _difference(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Return y - (A x + noise) and |A| |x| + |noise| as mantissas, and their common exponent."""
        matrix, x, noise, y = self.matrix, self.x, self.noise, self.y
        columns = np.flatnonzero(x)
        part = matrix[:, columns] if 4 * len(columns) < len(x) else matrix
        x = x[columns] if part is not matrix else x
        each = np.frexp(np.max(np.abs(part), axis=0, initial=0.0))[1]
        largest = [float(np.max(np.abs(values), initial=0.0)) for values in (noise, y)]
        tops = [math.frexp(value)[1] for value in largest if value > 0.0]
        products = (each + np.frexp(x)[1])[x != 0.0]
        exponent = max([*tops, *([int(products.max())] if products.size else [])], default=0)
        if max(abs(exponent), int(np.max(np.abs(each), initial=0))) <= 300:
            exponent = 0
        else:
            part, x = np.ldexp(part, -each), np.ldexp(x, each - exponent)
            noise, y = np.ldexp(noise, -exponent), np.ldexp(y, -exponent)
        return y - (part @ x + noise), np.abs(part) @ np.abs(x) + np.abs(noise), exponent

    def _whole(self, size: np.ndarray) -> bool:
        """Return whether A x + noise is a sum of integers below 2^53, so that there was no rounding."""
        parts = (self.x, self.noise, self.matrix[:, self.support])
        return bool(np.all(size < 2.0**53)) and all(np.array_equal(part, np.floor(part)) for part in parts)

    def _rounding(self, size: np.ndarray, eps: float, exponent: int) -> np.ndarray:
        """Return how much two ways of computing A x + noise may differ, in a format with 2 u = eps; as mantissas."""
        terms = int(np.count_nonzero(self.x)) + 3
        with np.errstate(over="ignore", under="ignore"):
            lost = float(np.ldexp(2.0 * _TINY, -exponent)) + 2.0 * _TINY  # below the range, in either unit
        return terms * (eps * size + lost)

    def _left(self, off: np.ndarray, size: np.ndarray, exponent: int) -> np.ndarray:
        """Return a bound on |y - A x - noise|: the computed difference plus its error."""
        rounded: Any = 0.0 if exponent == 0 and self._whole(size) else 0.5 * self._rounding(size, 2.0**-52, exponent)
        with np.errstate(over="ignore", under="ignore"):
            return np.asarray(_frozen(np.ldexp(np.abs(off) + rounded, exponent)))

    @cached_property
    def misfit(self) -> np.ndarray | None:
        """Bound on the rounding difference |y - A x - noise|, shape (n,); None if x or the noise is unknown."""
        return None if self.x is None or self.noise is None else self._left(*self._difference())

    def __repr__(self) -> str:
        """Return a summary without the numbers; :func:`recovery.guarantees.as_code` includes them."""
        given = [name for name in _ARRAYS if getattr(self, name) is not None]
        law = "" if self.law is None else f", law={self.law!r}"
        options = f", options={reprlib.repr(self.options)}" if self.options else ""
        kind = "array" if arrays.is_array(self.A) else type(self.A).__name__
        n, size = self.shape
        return f"Instance({n} x {size} {kind}, {', '.join(given)}, sparsity={self.sparsity}{law}{options})"

    def __getstate__(self) -> dict[str, Any]:
        return {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
            self.__dict__[name] = value

    @classmethod
    def planted(cls, A: Any, x: Any, noise: Any = None, sparsity: int | None = None, **known: Any) -> Instance:
        """Return the instance y = A x + noise.

        Parameters
        ----------
        A : array or Operator, shape (n, N)
            Sensing matrix.
        x : array, shape (N,)
            The planted vector.
        noise : array, shape (n,), optional
            None means no noise.
        sparsity : int, optional
            Number of non-zeros of x by default.
        **known
            ``x0``, ``law``, ``options``.

        Returns
        -------
        Instance
            With `x` and `noise` known.
        """
        x = arrays.to_numpy(check_exact(x, "x", ndim=1))
        matrix = _matrix(A)
        noise = np.zeros(matrix.shape[0]) if noise is None else arrays.to_numpy(check_exact(noise, "noise", ndim=1))
        if x.shape[0] != matrix.shape[1] or noise.shape[0] != matrix.shape[0]:
            raise ValueError(
                f"A has shape {matrix.shape}, x has {x.shape[0]} entries and noise has {noise.shape[0]}; "
                "expected one entry of x per column of A, and one of noise per row"
            )
        count = int(np.count_nonzero(x)) if sparsity is None else sparsity
        return cls(A, matrix @ x + noise, count, x=x, noise=noise, **known)

    @cached_property
    def matrix(self) -> np.ndarray:
        """A as a dense matrix of float64 on the CPU, shape (n, N)."""
        return _frozen(_matrix(self.A))

    @cached_property
    def gated(self) -> tuple[np.ndarray, np.ndarray] | None:
        """X (n, d), float64, and the gates (n, p), bool, on the CPU, if A is a GatedOperator; otherwise None."""
        if not isinstance(self.A, GatedOperator):
            return None
        X = arrays.to_numpy(self.A.inputs).T.astype(np.float64)
        return _frozen(np.ascontiguousarray(X)), _frozen(np.ascontiguousarray(arrays.to_numpy(self.A.gates()) != 0))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of A."""
        return int(self.A.shape[0]), int(self.A.shape[1])

    @property
    def support(self) -> np.ndarray:
        """Indices of the non-zero entries of the planted vector, ascending; needs `x`."""
        if self.x is None:
            raise ValueError("x=None has no support; expected an instance with its planted vector")
        return np.flatnonzero(self.x)

    @property
    def noise_free(self) -> bool:
        """Whether the noise is known to be exactly 0."""
        return self.noise is not None and not np.any(self.noise)

    def replace(self, **changes: Any) -> Instance:
        """Return a copy with other fields; y is recomputed if A, x or noise change and all are known.

        Parameters
        ----------
        **changes
            Fields and their new values; ``options`` replaces all options.

        Returns
        -------
        Instance
            The copy.
        """
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)} | changes
        planted = values["x"] is not None and values["noise"] is not None
        if "y" not in changes and planted and changes.keys() & {"A", "x", "noise"}:
            values["y"] = _matrix(values["A"]) @ values["x"] + values["noise"]
        return Instance(**values)

    def with_options(self, **options: Any) -> Instance:
        """Return a copy with some options set."""
        return self.replace(options={**self.options, **options})

    def scaled(self, *, signal: float = 1.0, noise: float = 1.0) -> Instance:
        """Return a copy with planted vector and noise (and its law) multiplied by factors.

        Parameters
        ----------
        signal, noise : float, default 1
            Factors; needs `x` and `noise`.

        Returns
        -------
        Instance
            The copy.
        """
        signal, noise = check_number(signal, "signal"), check_number(noise, "noise", minimum=0.0)
        if self.x is None or self.noise is None:
            raise ValueError("x or noise is None; expected an instance with its planted vector and noise")
        law = None if self.law is None else NoiseLaw(self.law.name, noise * self.law.sigma)
        return self.replace(x=signal * self.x, noise=noise * self.noise, law=law)

    def redrawn(self, rng: Any = None) -> Instance:
        """Return a copy with fresh noise from its law."""
        if self.law is None:
            raise ValueError("law=None: no noise can be drawn; expected an instance with a NoiseLaw")
        return self.replace(noise=self.law.draw(self.shape[0], rng))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the instance to an npz file that :meth:`load` reads without unpickling anything.

        A gated operator is saved as X and its gates and stays gated; any other is saved as its matrix.

        Parameters
        ----------
        path : path
            File name, ending in ``.npz``.

        Raises
        ------
        ValueError
            If the name has another ending.
        TypeError
            If an option is not a number, string, bool or None.
        """
        where = Path(path)
        if where.suffix != ".npz":
            raise ValueError(f"path={os.fspath(path)!r} ends in {where.suffix!r}; expected .npz")
        known = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        law = None if self.law is None else [self.law.name, self.law.sigma]
        about = {"sparsity": int(self.sparsity), "law": law, "options": dict(self.options)}
        sensing: dict[str, Any] = (
            {"A": self.matrix} if self.gated is None else dict(zip(("X", "gates"), self.gated, strict=True))
        )
        packed = io.BytesIO()
        np.savez(packed, about=np.array(json.dumps(about, default=_plain)), **sensing, **known)
        write_whole(where, packed.getvalue())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Instance:
        """Read an instance that :meth:`save` wrote.

        Parameters
        ----------
        path : path
            File name.

        Returns
        -------
        Instance
            Equal in every number.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file holds something else, or is damaged.
        """
        with open(path, "rb") as file:
            try:
                stored = np.load(file, allow_pickle=False)
                known = {name: stored[name] for name in stored.files}
            except (ValueError, AttributeError, EOFError, OSError, zipfile.BadZipFile) as error:
                raise ValueError(f"{os.fspath(path)} is not an npz file; expected a saved Instance") from error
        if "about" not in known or not ("A" in known or {"X", "gates"} <= known.keys()):
            raise ValueError(f"{os.fspath(path)} holds {', '.join(known)}; expected a saved Instance")
        try:
            about = json.loads(str(known["about"]))
            parts = {name: known[name] for name in _ARRAYS if name in known}
            law = None if about["law"] is None else NoiseLaw(*about["law"])
            A = known["A"] if "A" in known else GatedOperator(known["X"], known["gates"])
            return Instance(A, sparsity=about["sparsity"], law=law, options=about["options"], **parts)
        except KeyError as error:
            raise ValueError(f"{os.fspath(path)} has no entry {error}; expected a saved Instance") from error
        except (ValueError, TypeError) as error:
            raise ValueError(f"{os.fspath(path)} is damaged ({error}); expected a saved Instance") from error


def _plain(value: Any) -> Any:
    """Return a NumPy number as a Python number."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"an option is {value!r}; expected a number, string, bool or None, which a file can store")


def _frozen(values: Any) -> Any:
    """Return a copy of the array, read-only if it is a NumPy array (CuPy has no such flag)."""
    if isinstance(values, np.ndarray):
        values.setflags(write=False)
    return values


def _matrix(A: Any) -> np.ndarray:
    """Return a dense float64 matrix on the CPU, of an array or an operator."""
    return np.asarray(arrays.to_numpy(all_columns(A, proves=False)), dtype=np.float64)


SCALES = ("data", "matrix", "columns")
"""Scalings that a statement may be invariant under: see :class:`recovery.guarantees.Guarantee`."""
_COMFORT = 64
"""Exponents up to this size are not rescaled: sixth powers, and sums of 10^100 of them, do not over- or underflow."""
UNITS = {"lam": (1, 1), "ridge": (2, 0), "tau": (-1, 1), "t": (-2, 0), "flow_time": (-2, 0), "step": (-2, 0)}
"""Units of options, as powers of the units of A and of y."""


def in_range(instance: Instance, scales: tuple[str, ...]) -> Instance | str:
    """Return the same problem with numbers near 1, or why that is not possible.

    Parameters
    ----------
    instance : Instance
        The problem.
    scales : tuple of {"data", "matrix", "columns"}
        Parts that may be multiplied by a power of two: y with x, the noise, its law and x0; A, with x by the inverse;
        each column of A, with its entry of x by the inverse.

    Returns
    -------
    Instance or str
        The instance itself if its numbers are within 2^64 of 1, or nothing may be scaled. A message if scaling would
        round one of its numbers, because their range exceeds that of float64.
    """
    if not scales:
        return instance
    matrix = instance.matrix
    # if each column may be scaled, all of them may be together; blocks of gates share their columns
    a = int(exponents(matrix, None)) if "matrix" in scales or "columns" in scales else 0
    columns: Any = exponents(matrix) if "columns" in scales and instance.gated is None else np.full(matrix.shape[1], a)
    if np.all(np.abs(columns) <= _COMFORT):
        a, columns = 0, np.zeros(matrix.shape[1], dtype=np.int64)
    b = _largest(instance, columns) if "data" in scales else 0
    if abs(b) <= _COMFORT:
        b = 0
    if b == 0 and not np.any(columns):
        return instance
    exact = [True]

    def times(values: Any, power: Any) -> Any:
        if values is None:
            return None
        with np.errstate(over="ignore", under="ignore"):
            found = np.ldexp(values, power)
            back = np.ldexp(found, -np.asarray(power))
        exact[0] &= bool(np.all(np.isfinite(found)) and np.array_equal(back, values))
        return found

    A: Any
    if instance.gated is not None:
        X, gates = instance.gated
        A = GatedOperator(times(X, -a), gates)
    else:
        A = times(matrix, -columns)
    known = {name: times(getattr(instance, name), columns - b) for name in ("x", "x0")}
    known |= {name: times(getattr(instance, name), -b) for name in ("y", "noise")}
    law = instance.law
    if law is not None:
        law = NoiseLaw(law.name, float(times(law.sigma, -b)))
    options = dict(instance.options)
    for name, (of_matrix, of_data) in UNITS.items():
        value = options.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            options[name] = float(times(float(value), -of_matrix * a - of_data * b))
    if not exact[0]:
        return "the numbers of this instance span a range that float64 cannot hold in any units"
    try:
        return Instance(A, sparsity=instance.sparsity, law=law, options=options, **known)
    except ValueError:  # y lost digits below the range, which these units would have kept
        return "the data of this instance lost digits near the limits of float64"


def _largest(instance: Instance, columns: np.ndarray) -> int:
    """Return the exponent of the largest of the data, the noise, and of x in the units of the columns."""
    found = [int(exponents(part, None)) for part in (instance.y, instance.noise) if part is not None and np.any(part)]
    for part in (instance.x, instance.x0):
        if part is not None and np.any(part):
            with np.errstate(under="ignore"):
                found.append(int(np.max((np.frexp(part)[1] - 1 + columns)[part != 0.0])))
    return max(found, default=0)

"""An array type that computes like NumPy but is as strict as CuPy.

It refuses ``__array__``, NumPy's ufuncs and functions, and NumPy arrays as partners of an
operation, so that a stray ``np.`` call on a caller's array fails on any machine. Its
namespace offers just the names that CuPy has (``cupy_names.json`` lists them). It counts
what would be a synchronisation on a GPU: ``float()``, ``int()``, ``bool()``, ``.item()``,
``nonzero`` and its kin, boolean-mask indexing, and ``.get()``.
"""

from __future__ import annotations

import json
import operator
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np

_NAMES = json.loads((Path(__file__).parent / "cupy_names.json").read_text())
_SYNC_FUNCTIONS = {"nonzero", "flatnonzero", "argwhere", "unique", "array_equal", "allclose", "extract", "compress"}
syncs: Counter[str] = Counter()


@contextmanager
def count_syncs():
    """Yield a counter that holds the synchronisations made inside the block."""
    before = Counter(syncs)
    found: Counter[str] = Counter()
    try:
        yield found
    finally:
        found.update(Counter(syncs) - before)


def _unwrap(value):
    if isinstance(value, StandInArray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>: a NumPy array met a device array")
    if isinstance(value, (tuple, list)):
        return type(value)(_unwrap(item) for item in value)
    if isinstance(value, dict):
        return {key: _unwrap(item) for key, item in value.items()}
    return value


def _wrap(value):
    if isinstance(value, (np.ndarray, np.generic)):
        return StandInArray(np.asarray(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_wrap(item) for item in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_wrap(item) for item in value)
    return value


class _Namespace:
    def __init__(self, module, names, label):
        self._module, self._names, self._label = module, frozenset(names), label

    def __repr__(self):
        return f"<stand-in for {self._label}>"

    def __getattr__(self, name):
        if name not in self._names:
            raise AttributeError(f"{self._label} has no attribute {name!r}")
        if name in ("asarray", "array", "ascontiguousarray"):
            return lambda value, dtype=None, **options: _from_host(getattr(np, name), value, dtype, options)
        if name == "asnumpy":
            return lambda value: value.get()
        if name == "linalg":
            return linalg
        found = getattr(self._module, name)
        if isinstance(found, type) or not callable(found):
            return found

        def call(*args, **options):
            if name in _SYNC_FUNCTIONS or (name == "where" and len(args) == 1):
                syncs[name] += 1
            return _wrap(found(*_unwrap(args), **_unwrap(options)))

        return call


def _from_host(function, value, dtype, options):
    if isinstance(value, StandInArray):
        value = value._a
    elif isinstance(value, (tuple, list)) and any(isinstance(item, StandInArray) for item in value):
        value = _unwrap(value)
    return StandInArray(function(value, dtype=dtype, **options))


linalg = _Namespace(np.linalg, _NAMES["cupy.linalg"], "cupy.linalg")
namespace = _Namespace(np, _NAMES["cupy"], "cupy")


def _binary(function, swap=False):
    def method(self, other):
        if not isinstance(other, (StandInArray, int, float, bool, complex, np.generic)):
            raise TypeError(f"Unsupported type {type(other)}")
        pair = (_unwrap(other), self._a) if swap else (self._a, _unwrap(other))
        return _wrap(function(*pair))

    return method


def _inplace(function):
    def method(self, other):
        if not isinstance(other, (StandInArray, int, float, bool, np.generic)):
            raise TypeError(f"Unsupported type {type(other)}")
        self._a = function(self._a, _unwrap(other))
        return self

    return method


def _unary(function):
    def method(self):
        return _wrap(function(self._a))

    return method


class StandInArray:
    """A device array of the tests."""

    __array_ufunc__ = None
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, values):
        self._a = values

    def __array_namespace__(self, api_version=None):
        return namespace

    def __array__(self, *args, **options):
        raise TypeError("Implicit conversion to a NumPy array is not allowed; use .get()")

    def __array_function__(self, function, types, args, options):
        raise TypeError(f"numpy.{function.__name__} was called on a device array")

    def get(self):
        syncs["get"] += 1
        return np.array(self._a)

    def __repr__(self):
        return f"StandInArray(shape={self.shape}, dtype={self.dtype})"

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    nbytes = property(lambda self: self._a.nbytes)
    itemsize = property(lambda self: self._a.itemsize)
    T = property(lambda self: StandInArray(self._a.T))
    flags = property(lambda self: self._a.flags)

    def __len__(self):
        return len(self._a)

    def __iter__(self):
        return (StandInArray(np.asarray(row)) for row in self._a)

    def __getitem__(self, key):
        self._check_key(key)
        return StandInArray(np.asarray(self._a[_unwrap(key)]))

    def __setitem__(self, key, value):
        self._check_key(key, reading=False)
        if not isinstance(value, (StandInArray, int, float, bool, np.generic)):
            raise TypeError(f"Unsupported type {type(value)}")
        self._a[_unwrap(key)] = _unwrap(value)

    @staticmethod
    def _check_key(key, reading=True):
        for item in key if isinstance(key, tuple) else (key,):
            if isinstance(item, np.ndarray):
                raise TypeError("a NumPy array was used as an index of a device array")
            if reading and isinstance(item, StandInArray) and item.dtype == bool:
                syncs["boolean index"] += 1

    def item(self):
        syncs["item"] += 1
        return self._a.item()

    def tolist(self):
        syncs["tolist"] += 1
        return self._a.tolist()

    def __float__(self):
        syncs["float"] += 1
        return float(self._a)

    def __int__(self):
        syncs["int"] += 1
        return int(self._a)

    def __bool__(self):
        syncs["bool"] += 1
        return bool(self._a)

    def __index__(self):
        syncs["int"] += 1
        return operator.index(self._a.item())

    def nonzero(self):
        syncs["nonzero"] += 1
        return _wrap(self._a.nonzero())


for _name in (
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "and",
    "or",
    "xor",
    "lshift",
    "rshift",
):
    _function = getattr(operator, f"__{_name}__")
    setattr(StandInArray, f"__{_name}__", _binary(_function))
    setattr(StandInArray, f"__r{_name}__", _binary(_function, swap=True))
    if _name != "matmul":
        setattr(StandInArray, f"__i{_name}__", _inplace(getattr(operator, f"__i{_name}__")))
for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(StandInArray, f"__{_name}__", _binary(getattr(operator, f"__{_name}__")))
for _name in ("neg", "pos", "abs", "invert"):
    setattr(StandInArray, f"__{_name}__", _unary(getattr(operator, f"__{_name}__")))
for _name in (
    "all any argmax argmin argpartition argsort astype clip conj copy cumsum dot fill flatten max mean min prod ravel "
    "repeat reshape round searchsorted sort squeeze std sum take trace transpose var view swapaxes"
).split():

    def _method(self, *args, _method_name=_name, **options):
        return _wrap(getattr(self._a, _method_name)(*_unwrap(args), **_unwrap(options)))

    setattr(StandInArray, _name, _method)


def device(values):
    """Return a stand-in device array holding a copy of `values`."""
    return StandInArray(np.array(values))

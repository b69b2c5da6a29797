"""Proofs that a network with one hidden layer is locally unique: no other network nearby fits its data."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from planted.base import arrays
from planted.base.arrays import EPS
from planted.base.checks import check_integer, check_same_rows
from planted.base.exactness import check_exact
from planted.kinks import KinkForm
from planted.networks import ReLUNetwork
from recovery.certificates.certificate import Certificate, data_bytes, exact, exact_matrix

__all__ = ["NetworkDistance", "NotCertified", "network_certificate", "network_distance"]

INSIDE = 20_000
"""Data with up to this many numbers are stored in the certificate; for larger data it stores their hash."""
ENTRIES = 2_400_000
"""Entries of the rows whose smallest singular value is proved; the checker takes seconds for their Gram matrix."""
BLOCK_BYTES = 16 * 2**20
PLACES = 980
"""Largest number of binary places of a number in the data."""
ON_LINE = 4 * EPS
"""Rows this close to a hyperplane, relative to the norms of weights and row, lie on it up to rounding."""
ANGLES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""How far lines may move on the chosen rows: fractions of their norms, or 1/8 of the angle to the nearest line."""
SHARE = 0.98
"""The claimed sigma, relative to the one computed in floating point."""


class NotCertified(ValueError):
    """Raised with the reason why nothing can be proved about this network on these data."""


@dataclass(frozen=True)
class NetworkDistance:
    """Distance of a network from the one that a certificate refers to, in the units of the certificate.

    Attributes
    ----------
    inside : bool
        Whether it has the same structure and each of its lines is within reach.
    same_gates : bool
        Whether each of its lines is also within its radius.
    distance : float
        Euclidean norm of the difference of all weights; infinite if the structure differs.
    """

    inside: bool
    same_gates: bool
    distance: float


@dataclass(frozen=True, eq=False)
class _Unit:
    """A line sign |w.x|, or a neuron sign max(w.x, 0), on its inputs."""

    relu: bool
    sign: int
    inputs: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True, eq=False)
class _Units:
    """Powers of two near the root mean square of each input (0 for blank ones), and one above the largest target."""

    inputs: np.ndarray
    y: int

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray) -> _Units:
        top = np.abs(X).max(axis=0)
        small = np.frexp(np.where(top > 0, top, 1.0))[1]
        mean = np.sqrt((np.ldexp(X, -small) ** 2).mean(axis=0))
        powers = small + np.round(np.log2(np.where(mean > 0, mean, 1.0))).astype(int)
        return cls(np.where(top > 0, powers, 0), math.frexp(float(np.abs(y).max()))[1])


@dataclass(frozen=True, eq=False)
class _Net:
    """Weights of a network: of x_i (linear), of |x_i| (axes) and of its lines."""

    linear: dict[int, float]
    axes: dict[int, float]
    lines: list[_Unit]

    @property
    def size(self) -> int:
        return len(self.linear) + len(self.axes) + sum(len(line.inputs) for line in self.lines)

    def scaled(self, units: _Units) -> _Net:
        """Return the network with its weights in the units of the data."""

        def times(values: Mapping[int, float]) -> dict[int, float]:
            return {i: math.ldexp(value, int(units.inputs[i]) - units.y) for i, value in values.items()}

        lines = [replace(one, weights=np.ldexp(one.weights, units.inputs[one.inputs] - units.y)) for one in self.lines]
        return _Net(times(self.linear), times(self.axes), lines)


def network_certificate(
    X: Any,
    y: Any,
    network: KinkForm | ReLUNetwork,
    *,
    linear: Sequence[int] | None = None,
    axes: Sequence[int] | None = None,
    inside: int = INSIDE,
    check: bool = True,
) -> Certificate:
    """Prove that a network is, up to a stated distance, the only network nearby that fits the data.

    Parameters
    ----------
    X : array, shape (n, d)
        Inputs; copied to the CPU and treated as exact numbers.
    y : array, shape (n,)
        Targets, also treated as exact.
    network : planted.KinkForm or planted.ReLUNetwork
        The fit, with one output. For a network, the unknowns are the weights of its hidden layer, each multiplied by
        the magnitude of the output weight; for a kink form, the weights of f(x) = b.x + sum_i a_i |x_i| + sum_l sign_l
        |w_l.x|, where the supports of the w_l are their non-zero entries.
    linear, axes : sequence of int, optional
        Inputs allowed in the linear part b and in the bends a along the axes of a kink form; by default all inputs that
        are not identically 0, and all that take both signs. Those of `network` must be among them.
    inside : int, default 20000
        The data are stored in the certificate if they have at most this many numbers; otherwise only their SHA-256 is.
    check : bool, default True
        Check the certificate immediately in exact arithmetic (:mod:`recovery.certificates.checker`). Without this it is
        only a proposal that must be checked before it is trusted.

    Returns
    -------
    Certificate
        Of kind ``"network"``, with ``radius``, ``reach``, ``sigma_min``, ``residual`` and ``error_bound``.

    Raises
    ------
    NotCertified
        A ValueError whose message says why there is no proof: rows on a hyperplane (which are listed), dependent
        columns, fewer rows than weights, a residual that is too large for the radius, or a check that would exceed its
        limits.
    TypeError, ValueError
        If an argument is invalid; in particular, if float64 would round a number.

    Notes
    -----
    Norms are Euclidean, and weights are measured in the units of their inputs: w_i times the power of two that is
    nearest to the root mean square of x_i. In these units line l has a radius, within which its gate changes on no
    row, and a reach, within which it changes on none of a set of chosen rows: |delta w_l . x| < |w_l . x|. Let F be the
    matrix of these rows with columns x_i, |x_i| and sign_l sign(w_l.x) x_i (of a network, those of 1{w_l.x > 0} x_i),
    theta all weights, r = y - f, and 0 < sigma <= sigma_min(F). Networks of the same structure with parameters theta'
    and lines within reach have the values F theta' on the chosen rows. So

    - two of them with equal values are equal;
    - |y - f'| <= eps implies |theta' - theta| <= (eps + |r|) / sigma;
    - those that fit as well as the given one are at most 2 |r| / sigma away, its ``error_bound``; nothing is proved
      unless this is less than the reach. If it is also less than every radius, no gate changes among them, so exactly
      one has the smallest residual.

    Rows near a hyperplane make the radius small but do not affect the reach, because they are not chosen. The chosen
    rows are those with large |F_k (F'F)^-1|, where F is the matrix of all rows. Derived here; what is checked, and why
    that suffices, is described in docs/appendix/certificates.md. For several outputs, certify each separately: its form
    has the same directions, and one column of the strengths and of the linear part.

    Examples
    --------
    >>> import planted
    >>> from recovery.certificates import network_certificate
    >>> X = planted.gaussian_inputs(200, 4, rng=0)
    >>> truth = planted.sparse_network(4, 2, 4, signs="mixed", rng=1)
    >>> certificate = network_certificate(X, truth(X), truth.kink_form())
    >>> certificate.check().valid, certificate.error_bound < 1e-12 < certificate.radius
    (True, True)
    """
    began = time.perf_counter()
    X, y = check_exact(X, "X", ndim=2), check_exact(y, "y", ndim=1)
    check_same_rows(X, "X", y, "y")
    X, y = (arrays.to_numpy(one).astype(np.float64) for one in (X, y))
    inside = check_integer(inside, "inside", minimum=0)
    net, units = _structure(network, X, linear, axes), _Units.of(X, y)
    rows = _Rows(np.ldexp(X, -units.inputs), np.ldexp(y, -units.y), net.scaled(units))
    residual = rows.residual()
    reach, chosen, sigma = rows.chosen()
    away = 2 * residual / sigma
    if away * (1 + 2.0**-17) > reach.min(initial=math.inf):
        line = int(np.argmin(reach))
        raise NotCertified(
            f"line {line} (inputs {_listed(net.lines[line].inputs)}) may move by {reach[line]:.1e} before gates change "
            f"on rows that determine it, but weights are known to {away:.1e} only (residual {residual:.1e}, sigma_min "
            f"{sigma:.1e}, targets of size 1): another network as good as this one may be near"
        )
    data = _data(X, y, units, inside)
    claim = _claim(net, units, (rows.radii, reach), (residual, sigma))
    # the entries are rounded to multiples of 2^-bits, which changes the matrix by at most 1/200 of sigma
    bits = max(1, math.ceil(math.log2(100 * math.sqrt(len(chosen) * net.size) / sigma)))
    made_by = {"rows of sigma": len(chosen), "seconds": round(time.perf_counter() - began, 3)}
    certificate = Certificate("network", claim, data, {"rows": chosen.tolist(), "bits": bits}, made_by)
    if check:
        report = certificate.check(data=None if "X" in certificate.data else (X, y))
        if not report.valid:
            raise NotCertified(f"the proof does not hold in exact arithmetic: {report.reason}")
    return certificate


def network_distance(certificate: Certificate, network: KinkForm | ReLUNetwork) -> NetworkDistance:
    """Compare a network with the one that a certificate of kind ``"network"`` refers to.

    Parameters
    ----------
    certificate : Certificate
        A certificate from :func:`network_certificate`, possibly saved and loaded.
    network : planted.KinkForm or planted.ReLUNetwork
        The network; if the certificate is about a kink form, the network's kink form is used.

    Returns
    -------
    NetworkDistance
        Computed in floating point. The structures are the same if the numbers of lines agree and each line's inputs are
        among those of the certificate.

    Raises
    ------
    ValueError
        If the certificate is of a different kind.
    """
    if certificate.kind != "network":
        raise ValueError(f"certificate is of kind {certificate.kind!r}; expected 'network'")
    claim = certificate.claim
    lines, d = claim["lines"], len(claim["units"])
    units = np.array([float(Fraction(one)) for one in claim["units"]])
    kinks = not any(line["gate"] == "relu" for line in lines)
    if kinks and isinstance(network, ReLUNetwork):
        network = network.kink_form()
    net = _parts(network)
    none = NetworkDistance(False, False, math.inf)
    if network.n_inputs != d or len(net.lines) != len(lines):
        return none
    squares = 0.0
    for part, weights in ((claim["linear"], net.linear), (claim["axes"], net.axes)):
        known = {i: float(Fraction(text)) for i, text in zip(part["inputs"], part["weights"], strict=True)}
        if any(i not in known and value != 0 for i, value in weights.items()):
            return none
        squares += sum((units[i] * (value - weights.get(i, 0.0))) ** 2 for i, value in known.items())
    inside, same, left = True, True, list(net.lines)
    for line in lines:
        own = np.zeros(d)
        own[line["inputs"]] = [float(Fraction(text)) for text in line["weights"]]
        moves = [_move(own, line, one, units) for one in left]
        if not moves or not math.isfinite(min(moves)):
            return none
        move = min(moves)
        left.pop(moves.index(move))
        squares += move**2
        inside = inside and move <= float(Fraction(line["reach"]))
        same = same and move <= float(Fraction(line["radius"]))
    return NetworkDistance(inside, same, math.sqrt(squares))


def _move(own: np.ndarray, line: Mapping[str, Any], other: _Unit, units: np.ndarray) -> float:
    """Return how far a line is from one of a certificate, or infinity if it is of another kind."""
    fits = other.sign == line["sign"] and other.relu == (line["gate"] == "relu")
    if not fits or not set(other.inputs.tolist()) <= set(line["inputs"]):
        return math.inf
    weights = np.zeros(len(own))
    weights[other.inputs] = other.weights
    moves = [float(np.linalg.norm(units * (own - side * weights))) for side in ((1,) if other.relu else (1, -1))]
    return min(moves)


def _parts(network: Any) -> _Net:
    """Return the weights of a kink form or network."""
    if isinstance(network, ReLUNetwork) and network.depth == 1 and network.output.ndim == 1:
        hidden, output = (arrays.to_numpy(one).astype(np.float64) for one in (network.hidden, network.output))
        neurons = [(one * abs(size), size) for one, size in zip(hidden.T, output, strict=True) if size and one.any()]
        return _Net({}, {}, [_unit(True, weights, size) for weights, size in neurons])
    if not isinstance(network, KinkForm) or network.linear.ndim != 1:
        raise ValueError(
            f"network={network!r} is neither a kink form nor a network with one hidden layer, with one output; for "
            "several outputs take one column of strengths and linear part after the other"
        )
    directions, strengths, linear = (
        arrays.to_numpy(one) for one in (network.directions, network.strengths, network.linear)
    )
    axes: dict[int, float] = {}
    lines = []
    for direction, strength in zip(directions.T, strengths.tolist(), strict=True):
        inputs = np.flatnonzero(direction)
        weights = 0.5 * abs(strength) * direction
        if len(inputs) == 1:
            i = int(inputs[0])
            axes[i] = axes.get(i, 0.0) + math.copysign(abs(weights[i]), strength)
        elif weights.any():
            lines.append(_unit(False, weights, strength))
    return _Net({int(i): float(linear[i]) for i in np.flatnonzero(linear)}, axes, lines)


def _unit(relu: bool, weights: np.ndarray, sign: float) -> _Unit:
    inputs = np.flatnonzero(weights)
    return _Unit(relu, 1 if sign > 0 else -1, inputs, weights[inputs])


def _structure(network: Any, X: np.ndarray, linear: Any, axes: Any) -> _Net:
    """Return the weights of a network, with 0 for allowed weights that it does not have."""
    net, d = _parts(network), X.shape[1]
    if network.n_inputs != d:
        raise ValueError(f"network has {network.n_inputs} inputs, but X has {d} columns; expected as many")
    if isinstance(network, ReLUNetwork):
        if linear is not None or axes is not None:
            raise ValueError("linear and axes were given; expected them only for a kink form")
        return net
    low, high = X.min(axis=0), X.max(axis=0)
    parts: list[dict[int, float]] = []
    for name, given, found, usual in (
        ("linear", linear, net.linear, (low != 0) | (high != 0)),
        ("axes", axes, net.axes, (low < 0) & (high > 0)),
    ):
        allowed = np.flatnonzero(usual).tolist() if given is None else [int(i) for i in given]
        if given is not None and not all(0 <= i < d for i in allowed):
            raise ValueError(f"{name}={list(given)} is not a list of inputs; expected numbers from 0 to {d - 1}")
        beyond = sorted(i for i, value in found.items() if value != 0 and i not in set(allowed))
        if beyond:
            what = "is always 0" if name == "linear" else "does not take both signs"
            why = f"which {what} on these rows" if given is None else f"which {name} leaves out"
            raise NotCertified(f"the network has a weight of {name} for input {beyond[0]}, {why}")
        parts.append({i: found.get(i, 0.0) for i in sorted(set(allowed))})
    return _Net(parts[0], parts[1], net.lines)


class _Rows:
    """The scaled data, and the network's values on them in floating point."""

    def __init__(self, X: np.ndarray, y: np.ndarray, net: _Net) -> None:
        self.X, self.y, self.net = X, y, net
        self.gates = np.zeros((len(net.lines), len(y)), dtype=np.int8)
        if net.size == 0:
            raise NotCertified("the network is zero: there are no weights to be certified")
        if len(y) < net.size:
            raise NotCertified(f"there are {len(y)} rows for {net.size} weights: the data do not determine them")
        self.shares = np.full(self.gates.shape, np.inf, dtype=np.float32)  # distance of each line from each row
        self.f = np.zeros(len(y)), np.zeros(len(y))
        self._lines()
        self.radii = self.shares.min(axis=1, initial=np.inf).astype(np.float64) * (1 - 2.0**-20)

    def _lines(self) -> None:
        """Compute the gates, how far each line may move before they change, and the values of all lines."""
        for number, line in enumerate(self.net.lines):
            columns = self.X.T[line.inputs]
            z, low = _products(line.weights, columns)
            norms = np.sqrt((columns**2).sum(axis=0))
            used = norms > 0
            if not used.any():
                raise NotCertified(f"all inputs of line {number} ({_listed(line.inputs)}) are 0 on all rows")
            shares = np.abs(z[used]) / norms[used]
            self.shares[number, used] = shares * (1 - 2.0**-20)
            bad = np.flatnonzero(used)[shares <= ON_LINE * np.linalg.norm(line.weights)]
            if len(bad):
                raise NotCertified(
                    f"row(s) {_listed(bad)} lie on the hyperplane of line {number} (inputs {_listed(line.inputs)}), "
                    "where its gate is not determined"
                )
            gate = np.sign(z) if not line.relu else (z > 0).astype(float)
            self.gates[number] = gate * line.sign
            self.f = _sum(self.f, (self.gates[number] * z, self.gates[number] * low))

    def residual(self) -> float:
        """Return an upper bound on |y - f|."""
        for weights, columns in ((self.net.linear, self.X.T), (self.net.axes, np.abs(self.X.T))):
            for i, weight in weights.items():
                if weight:
                    self.f = _sum(self.f, _times(weight, columns[i]))
        high, low = _sum((-self.f[0], -self.f[1]), (self.y, np.zeros(len(self.y))))
        return float(np.linalg.norm(high + low)) * (1 + 2.0**-20) + 2.0**-90 * math.sqrt(len(self.y))

    def columns(self, rows: Any) -> np.ndarray:
        """Return some rows of the matrix of the model."""
        X = self.X[rows]
        parts = [X[:, list(self.net.linear)], np.abs(X[:, list(self.net.axes)])]
        parts += [X[:, line.inputs] * gate[rows, None] for line, gate in zip(self.net.lines, self.gates, strict=True)]
        return np.concatenate(parts, axis=1)

    def blocks(self) -> Iterator[slice]:
        rows = max(256, BLOCK_BYTES // (8 * self.net.size))
        for start in range(0, len(self.y), rows):
            yield slice(start, start + rows)

    def chosen(self) -> tuple[np.ndarray, np.ndarray, float]:
        """Return how far lines may move, rows on which no gate then changes, and their smallest singular value.

        The farther lines may move, the fewer rows are left; the largest distance is chosen that costs no more than half
        of the singular value.
        """
        n, size = len(self.y), self.net.size
        count = max(3 * size, ENTRIES // size)
        scores = np.ones(n) if count >= n else self._scores()
        close = self._angles() / 8
        lengths = np.array([np.linalg.norm(line.weights) for line in self.net.lines])
        found = self.radii, *self._least(scores, count)
        best = found[2]
        for angle in ANGLES if self.net.lines else ():
            reach = np.maximum(self.radii, lengths * np.minimum(angle, close))
            clear = (self.shares > reach[:, None]).all(axis=0)
            if int(clear.sum()) < size:
                continue
            rows, sigma = self._least(np.where(clear, scores, -1.0), min(count, int(clear.sum())), best / 2)
            if sigma >= best / 2:
                return reach, rows, sigma
        return found

    def _least(self, scores: np.ndarray, count: int, enough: float | None = None) -> tuple[np.ndarray, float]:
        """Return the rows with the highest scores and their smallest singular value, reduced by a safety margin."""
        rows = np.arange(len(scores)) if count >= len(scores) else np.sort(np.argpartition(-scores, count - 1)[:count])
        triangle = np.linalg.qr(self.columns(rows), mode="r")
        if enough is not None:
            return rows, SHARE * float(np.linalg.svd(triangle, compute_uv=False)[-1])
        values, right = np.linalg.svd(triangle)[1:]
        if not values[-1] > 64 * self.net.size * EPS * values[0]:
            names = [*(f"x_{i}" for i in self.net.linear), *(f"|x_{i}|" for i in self.net.axes)]
            names += [f"w_{k},{i}" for k, line in enumerate(self.net.lines) for i in line.inputs]
            most = np.argsort(-np.abs(right[-1]))[:6]
            listed = ", ".join(names[j] for j in most if abs(right[-1][j]) > 1e-6)
            raise NotCertified(f"the columns of the model are dependent, so its weights are not determined: {listed}")
        return rows, SHARE * float(values[-1])

    def _scores(self) -> np.ndarray:
        """Return how informative each row is about the least determined weights."""
        H = np.zeros((self.net.size, self.net.size))
        for part in self.blocks():
            F = self.columns(part)
            H += F.T @ F
        values, vectors = np.linalg.eigh(H)
        values = np.maximum(values, values[-1] * 1e-14)
        return np.concatenate([((self.columns(part) @ (vectors / values)) ** 2).sum(axis=1) for part in self.blocks()])

    def _angles(self) -> np.ndarray:
        """Return the angle between each line and the closest other line or axis."""
        lines = np.zeros((len(self.net.lines), self.X.shape[1]))
        for row, line in zip(lines, self.net.lines, strict=True):
            row[line.inputs] = line.weights / np.linalg.norm(line.weights)
        cosines = np.abs(lines @ np.concatenate([lines, np.eye(self.X.shape[1])[list(self.net.axes)]]).T)
        np.fill_diagonal(cosines, 0.0)
        return np.arccos(np.minimum(cosines.max(axis=1, initial=0.0), 1.0))


def _claim(
    net: _Net, units: _Units, moves: tuple[np.ndarray, np.ndarray], bounds: tuple[float, float]
) -> dict[str, Any]:
    """Return the claim from radii, reaches, residual and sigma, in the caller's unit of y, rounded to the safe side."""
    unit, (residual, sigma) = Fraction(2) ** units.y, bounds

    def part(weights: Mapping[int, float]) -> dict[str, Any]:
        return {"inputs": list(weights), "weights": [exact(one) for one in weights.values()]}

    lines = [
        {
            "gate": "relu" if line.relu else "abs",
            "sign": line.sign,
            "inputs": line.inputs.tolist(),
            "weights": [exact(one) for one in line.weights],
            "radius": exact(_down(radius) * unit),
            "reach": exact(_down(reach) * unit),
        }
        for line, radius, reach in zip(net.lines, *(one.tolist() for one in moves), strict=True)
    ]
    return {
        "linear": part(net.linear),
        "axes": part(net.axes),
        "lines": lines,
        "units": [exact(Fraction(2) ** int(power)) for power in units.inputs],
        "sigma": exact(_down(sigma)),
        "residual": exact(-_down(-residual) * unit),
    }


def _data(X: np.ndarray, y: np.ndarray, units: _Units, inside: int) -> dict[str, Any]:
    """Return the data, or their hash and sizes."""
    if X.size + y.size <= inside:
        return {"X": exact_matrix(X), "y": exact_matrix(y)}
    places = _places(np.ldexp(X, -units.inputs)), _places(y)
    if max(places) > PLACES:
        raise NotCertified(f"a number of the data has {max(places)} binary places; a check takes at most {PLACES}")
    return {
        "rows": len(y),
        "inputs": X.shape[1],
        "sha256": hashlib.sha256(data_bytes(X, y)).hexdigest(),
        "places": places[0],
        "places_y": places[1],
    }


def _down(value: float) -> Fraction:
    """Return a number rounded down to 20 binary digits."""
    mantissa, power = math.frexp(value)
    return math.floor(math.ldexp(mantissa, 20)) * Fraction(2) ** (power - 20)


def _places(values: np.ndarray) -> int:
    """Return how many binary places numbers have after the point."""
    mantissas, powers = np.frexp(values[values != 0])
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    zeros = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return max(0, int((53 - powers - zeros).max(initial=0)))


def _listed(numbers: Any) -> str:
    numbers = [str(int(one)) for one in numbers]
    return ", ".join(numbers[:10]) + (", ..." if len(numbers) > 10 else "")


# Pairs high + low of floats have twice the precision, which the residual of a fit at rounding error requires.


def _times(weight: float, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a product exactly as high + low (Dekker and Veltkamp; checked against fractions by the tests)."""
    high = weight * column
    a, c = _halves(np.float64(weight)), _halves(column)
    return high, ((a[0] * c[0] - high) + a[0] * c[1] + a[1] * c[0]) + a[1] * c[1]


def _halves(value: Any) -> tuple[Any, Any]:
    spread = 134217729.0 * value
    high = spread - (spread - value)
    return high, value - high


def _sum(one: tuple[Any, Any], two: tuple[Any, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of two pairs as a pair, accurate to about 2^-104 of the larger (Knuth's branch-free sum)."""
    high = one[0] + two[0]
    back = high - one[0]
    low = (one[0] - (high - back)) + (two[0] - back) + (one[1] + two[1])
    total = high + low
    return total, low - (total - high)


def _products(weights: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = _times(weights[0], columns[0])
    for weight, column in zip(weights[1:], columns[1:], strict=True):
        found = _sum(found, _times(weight, column))
    return found

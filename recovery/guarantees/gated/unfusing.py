"""Guarantees that fused weights determine the hidden and output weights, also with errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from planted import ReLUNetwork
from recovery.exact.bounded import Bounded, constant, data_of, least_squares, matmul, norm
from recovery.guarantees.engine.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.engine.instance import Instance, NoiseLaw
from recovery.networks.scalar.unfuse import unfuse
from recovery.operators.gated import GatedOperator

__all__ = ["DESIGNS", "TOL", "exact_signs", "fits", "guarantees", "network_instance", "noisy_network", "planted_signs"]


TOL = 1e-8
"""Values below this count as rounding in :func:`recovery.unfuse` and in the hypotheses, and are left undecided."""


def exact_signs(X: np.ndarray, u: np.ndarray) -> np.ndarray | None:
    """Return the signs of X u, exact where rounding could decide; None if one is non-zero but below TOL."""
    value, size = X @ u, np.abs(X) @ np.abs(u)
    signs = np.sign(value)
    for i in np.flatnonzero(np.abs(value) <= 2.0 * TOL * size):
        exact = sum((Fraction(float(a)) * Fraction(float(b)) for a, b in zip(X[i], u, strict=True)), Fraction(0))
        if exact:
            return None
        signs[i] = 0.0
    return signs


def fits(signs: np.ndarray, gate: np.ndarray) -> bool:
    """Return whether relu(X u) = D X u, from the signs of X u: where it is 0, either bit is allowed."""
    return bool(np.all((signs > 0.0)[signs != 0.0] == gate[signs != 0.0]))


DESIGNS = ("gaussian", "blank", "integer", "few_values", "parallel")
"""Laws of X: blank entries, integers and equal sizes make activations exactly 0; parallel rows share a hyperplane."""

Rng = np.random.Generator


def network_instance(rng: Rng) -> Instance:
    """Draw a planted network among other gates; one in four has a wrong bit or value.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        Without noise. Hidden weights are binary, output weights +-1, both or neither.
    """
    X, gates, W, name = _sampled_network(rng)
    if rng.random() < 0.25:
        j = int(rng.choice(np.flatnonzero(W.any(axis=1))))
        if rng.random() < 0.5:
            row = int(rng.integers(len(X)))
            gates[row, j] = not gates[row, j]
        else:
            W[j] *= rng.choice([-1.0, 1.0, 2.0, 1.0 + 1e-4], W.shape[1])
    return Instance.planted(GatedOperator(X, gates), W.ravel(), options={"design": name})


def noisy_network(rng: Rng) -> Instance:
    """Draw a planted network with independent columns on its support, and noise.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Instance
        The noise is Gaussian, or the one that moves a neuron's activation on one row towards 0 fastest.
    """
    while True:
        X, gates, W, name = _sampled_network(rng)
        A = GatedOperator(X, gates)
        S = np.flatnonzero(W)
        columns = A.columns(S)
        sizes = np.linalg.norm(columns, axis=0)
        if sizes.all() and len(X) >= S.size:
            spectrum = np.linalg.svd(columns / sizes, compute_uv=False)
            if spectrum[-1] > 1e-3 * spectrum[0]:
                break
    if rng.random() < 0.5:
        law = NoiseLaw("gaussian", 0.1)
        return Instance.planted(A, W.ravel(), law.draw(len(X), rng), law=law, options={"design": name})
    j = int(rng.choice(np.flatnonzero(W.any(axis=1))))
    rows = np.flatnonzero(np.abs(X @ W[j]) > 0.0)
    noise = np.zeros(len(X))
    if rows.size:
        i = int(rows[np.argmin(np.abs(X @ W[j])[rows])])
        direction = np.where(S // X.shape[1] == j, X[i][S % X.shape[1]], 0.0)
        noise = -np.sign(X[i] @ W[j]) * np.linalg.pinv(columns).T @ direction
        noise = 0.1 * noise / max(float(np.linalg.norm(noise)), 1e-12)
    return Instance.planted(A, W.ravel(), noise, options={"design": name})


def _sampled_network(rng: Rng) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return X, gates (n, p), weights (p, d) and the name of the design."""
    d, p = int(rng.integers(2, 6)), int(rng.integers(1, 6))
    n = int(rng.integers(4, 25))
    name = DESIGNS[int(rng.integers(len(DESIGNS)))]
    X = _inputs(rng, name, n, d)
    neurons = int(rng.integers(1, min(p, 3) + 1))
    H = rng.standard_normal((d, p))
    W = np.zeros((p, d))
    binary, signs = rng.random() < 0.6, rng.random() < 0.6
    for j in rng.permutation(p)[:neurons]:
        support = rng.permutation(d)[: int(rng.integers(1 if rng.random() < 0.3 else 2, d + 1))]
        H[:, j] = 0.0
        H[support, j] = 1.0 if binary else _values(rng, support.size)
        v = rng.choice([-1.0, 1.0]) * (1.0 if signs else 10.0 ** rng.uniform(-2.0, 2.0))
        W[j] = v * H[:, j]
    # the float product may round an activation of 0 to either sign; sums of few small numbers do not
    return X, X @ H >= 0.0, W, name


def _values(rng: Rng, count: int) -> np.ndarray:
    kind = rng.random()
    if kind < 0.4:
        return rng.integers(1, 4, count) * rng.choice([-1.0, 1.0], count)
    return rng.standard_normal(count) * 10.0 ** (rng.uniform(-1.0, 1.0, count) * (kind < 0.7))


def _inputs(rng: Rng, name: str, n: int, d: int) -> np.ndarray:
    X = rng.standard_normal((n, d))
    if name == "blank":
        return np.where(rng.random((n, d)) < 0.5, 0.0, X)
    if name == "integer":
        return rng.integers(-2, 3, (n, d)).astype(np.float64)
    if name == "few_values":
        return rng.choice([-1.0, -0.5, 0.5, 1.0], (n, d))
    if name == "parallel":
        turned = X[rng.integers(0, max(n // 2, 1), n)] * rng.choice([-2.0, -1.0, 1.0, 3.0], (n, 1))
        return np.where(rng.random((n, 1)) < 0.5, turned, X)
    return X


Rule = Callable[[Instance], Verdict]
_TAKEN = 1e-6
"""Relative precision of distances from hyperplanes here; :func:`recovery.unfuse` has a smaller tolerance for
rounding."""


def _blocks(instance: Instance) -> tuple[np.ndarray, np.ndarray, np.ndarray] | Verdict:
    """Return X, gates and the planted weights (p, d), or the verdict if there are none."""
    if instance.gated is None:
        return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
    X, gates = instance.gated
    return X, gates, instance.x.reshape(gates.shape[1], X.shape[1])


def planted_signs(instance: Instance) -> list[float] | None:
    """Return the sign of each planted neuron's output weight, 0 where there is none; None if it is not determined."""
    found = _blocks(instance)
    if isinstance(found, Verdict):
        return None
    X, gates, W = found
    result = []
    for w, gate in zip(W, gates.T, strict=True):
        signs = exact_signs(X, w)
        if signs is None:
            return None
        possible = [sign for sign in (1.0, -1.0) if fits(sign * signs, gate)]
        if np.any(w) and len(possible) != 1:
            return None
        result.append(possible[0] if np.any(w) else 0.0)
    return result


def determined(binary: bool) -> Rule:
    """Return the predicate that each block is u_j v_j of exactly one neuron under the assumption, with its own gate."""

    def hypotheses(instance: Instance) -> Verdict:
        found = _blocks(instance)
        if isinstance(found, Verdict):
            return found
        X, gates, W = found
        for j, (w, gate) in enumerate(zip(W, gates.T, strict=True)):
            values = w[w != 0.0]
            if not values.size:
                continue
            if binary and np.ptp(values) > 0.0:
                if np.ptp(values) <= 4.0 * TOL * np.abs(values).max():
                    return Verdict.unknown(f"the values at gate {j} differ only by rounding error")
                return Verdict.of(False, f"the values at gate {j} differ")
            signs = exact_signs(X, (w != 0.0).astype(np.float64) if binary else w)
            if signs is None:
                return Verdict.unknown(f"an activation at gate {j} is within rounding error of 0")
            possible = sum(fits(sign * signs, gate) for sign in ((1.0,) if binary else (1.0, -1.0)))
            if possible != 1:
                return Verdict.of(False, f"the block at gate {j} is that of {possible} possible neurons, not of one")
        return Verdict.of(True, "each block is that of exactly one neuron")

    return hypotheses


def returns(*assumptions: str) -> Rule:
    """Return the outcome "a network is returned, and its fused weights are the planted ones"."""

    def outcome(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
        X, gates = instance.gated
        for assumption in assumptions:
            try:
                network = unfuse(instance.x, X, gates, assumption, tol=TOL)
            except ValueError as error:
                return Verdict.of(False, f"{assumption}: {error}")
            wrong = _wrong(network, assumption, instance)
            if wrong:
                return Verdict.of(False, f"{assumption}: {wrong}")
        return Verdict.of(True, f"un-fusing returned a correct network under {_assumed(assumptions)}")

    return outcome


def _assumed(names: Sequence[str]) -> str:
    """Return the names of assumptions as part of a sentence."""
    return f"the assumption{'s' * (len(names) > 1)} {' and '.join(map(repr, names))}"


def _wrong(network: ReLUNetwork, assumption: str, instance: Instance) -> str:
    """Return what is wrong with an un-fused network: its weights, their kind, or its outputs on X."""
    X, gates = instance.gated  # type: ignore[misc]
    W = instance.x.reshape(gates.shape[1], X.shape[1])
    W = W[W.any(axis=1)]
    U, v = network.hidden, network.output
    kind = {
        "binary": bool(np.all((U == 0.0) | (U == 1.0))),
        "signs": bool(np.all(np.abs(v) == 1.0)),
        "unit": bool(np.all(np.abs(np.linalg.norm(U, axis=0) - 1.0) < 1e-12)),
    }[assumption]
    if not kind:
        return "the weights do not satisfy the assumption"
    if U.shape[1] != len(W) or np.any(np.abs((U * v).T - W) > 2.0 * TOL * np.abs(W).max(axis=1, initial=0.0)[:, None]):
        return "the weights do not fuse to w"
    size = np.abs(X) @ np.abs(W).sum(axis=0)
    return (
        "the outputs are not A w"
        if np.any(np.abs(network(X) - instance.matrix @ instance.x) > 4.0 * TOL * size)
        else ""
    )


def _some_return(instance: Instance) -> Verdict:
    """Return whether un-fusing returns anything, under any assumption."""
    if instance.gated is None:
        return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
    found = [assumption for assumption in ("binary", "signs", "unit") if _network(instance, assumption) is not None]
    if not found:
        return Verdict.of(False, "un-fusing returns no network under any of the assumptions")
    return Verdict.of(True, f"un-fusing returns a network under {_assumed(found)}")


def _network(instance: Instance, assumption: str) -> ReLUNetwork | None:
    X, gates = instance.gated  # type: ignore[misc]
    try:
        return unfuse(instance.x, X, gates, assumption, tol=TOL)
    except ValueError:
        return None


def _all_right(instance: Instance) -> Verdict:
    """Return whether every network that un-fusing returns has the weights and outputs that it should."""
    if instance.gated is None:
        return Verdict.unknown("A is not a GatedOperator; the statement is about gates")
    for assumption in ("binary", "signs", "unit"):
        network = _network(instance, assumption)
        wrong = "" if network is None else _wrong(network, assumption, instance)
        if wrong:
            return Verdict.of(False, f"{assumption}: {wrong}")
    return Verdict.of(True, "all returned networks are correct")


def _least_squares(instance: Instance) -> np.ndarray | None:
    """Return least squares on the planted support, None if its columns are dependent up to rounding."""
    S = instance.support
    columns = instance.matrix[:, S]
    sizes = np.linalg.norm(columns, axis=0)
    if not S.size or not sizes.all():
        return None
    found, _, rank, spectrum = np.linalg.lstsq(columns / sizes, instance.y, rcond=None)
    if rank < S.size or spectrum[-1] < 1e-6 * spectrum[0]:
        return None
    result = np.zeros(instance.shape[1])
    result[S] = found / sizes
    return result


def clear_of_the_data(factor: float) -> Rule:
    """Return the hypothesis |x_i . w_j| > factor |w^_j - w_j| |x_i,S_j| for all neurons j, rows i with x_i,S_j != 0."""

    def hypotheses(instance: Instance) -> Verdict:
        found = _blocks(instance)
        if isinstance(found, Verdict):
            return found
        X, _, W = found
        if planted_signs(instance) is None or _least_squares(instance) is None:
            return Verdict.of(False, "the planted neurons are not determined, or their columns are dependent")
        S = instance.support
        fit = least_squares(instance.matrix[:, S], data_of(instance)).weights - instance.x[S]
        value, error = np.zeros(instance.shape[1]), np.zeros(instance.shape[1])
        value[S], error[S] = fit.value, fit.error
        asked = []
        for j, w in enumerate(W):
            place = slice(j * X.shape[1], (j + 1) * X.shape[1])
            looked = norm(X * (w != 0.0), 1)
            rows = looked.value > 0.0
            if not np.any(w) or not rows.any():
                continue
            clear = (abs(matmul(X[rows], w)) / looked[rows]).min()
            clear = Bounded(clear.value, clear.error + _TAKEN * abs(clear.value))
            off = constant(factor) * norm(Bounded(value[place], error[place]))
            asked.append(
                exceeds(clear, off, f"the distance of the data from the hyperplane of gate {j} exceeds the error")
            )
        return all_of(asked)

    return hypotheses


def keeps_signs(instance: Instance) -> Verdict:
    """Return whether the un-fused least-squares weights have the planted signs, and the outputs A w^."""
    signs, estimate = planted_signs(instance), _least_squares(instance)
    if instance.gated is None or signs is None or estimate is None:
        return Verdict.unknown("there is no planted network to compare with")
    X, gates = instance.gated
    try:
        network = unfuse(estimate, X, gates, "unit", tol=TOL)
    except ValueError as error:
        return Verdict("fails", -1.0, str(error))
    right = np.array_equal(np.sign(network.output), [sign for sign in signs if sign])
    size = np.abs(X) @ np.abs(estimate).reshape(gates.shape[1], -1).sum(axis=0)
    same = bool(np.all(np.abs(network(X) - instance.matrix @ estimate) <= 4.0 * TOL * size))
    flips = float("inf")
    for w, sign, gate in zip(estimate.reshape(gates.shape[1], -1), signs, gates.T, strict=True):
        if sign:
            lean = sign * np.where(gate, 1.0, -1.0) * (X @ w)
            scale = np.abs(X) @ np.abs(w)
            flips = min(flips, float(np.min(lean[scale > 0.0] / scale[scale > 0.0], initial=np.inf)))
    if right and same:
        return Verdict("holds", max(flips, 0.0), "un-fusing returned the signs of w and the outputs A w^")
    return Verdict(
        "fails", -1.0, f"un-fusing returned other {'outputs than A w^' if right else 'signs than those of w'}"
    )


def guarantees() -> list[Guarantee]:
    """Return the guarantees of un-fusing, :func:`recovery.unfuse`.

    Returns
    -------
    list of Guarantee
        The planted x of the instance is the fused w. Signs of activations are computed with fractions.
    """
    tests = "tests/recovery/test_guarantees_unfusing.py"
    source = "derived here: docs/theory, section Un-fusing"
    return [
        Guarantee(
            "unfuse-binary",
            "equivalence",
            "Un-fusing w under binary hidden weights returns a network if and only if each w_j != 0 is v_j u_j with "
            "u_j = 1{w_j != 0} and D_j X u_j = relu(X u_j); the network has these u_j and v_j.",
            source, tests, determined(True), returns("binary"), sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfuse-signs",
            "equivalence",
            "Un-fusing w under output weights +-1, and under |u_j| = 1, returns networks if and only if for each w_j "
            "!= 0 exactly one sign v_j has D_j X w_j v_j = relu(X w_j v_j); the networks have these signs.",
            source, tests, determined(False), returns("signs", "unit"), sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfused-outputs",
            "implication",
            "If un-fusing returns a network, then its weights fuse to w and its outputs on X are A w.",
            source, tests, _some_return, _all_right, sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfuse-least-squares",
            "implication",
            "If the signs v_j of w are determined as in unfuse-signs, w^ is the least-squares solution on the support "
            "of w, whose columns are independent, and |x_i . w_j| > |w^_j - w_j| |x_{i,S_j}| for all neurons j and "
            "rows i with x_{i,S_j} != 0, then un-fusing w^ with |u_j| = 1 returns the signs v_j, and outputs A w^.",
            source, tests, clear_of_the_data(1.0), keeps_signs, sampler=noisy_network,
            scales=("data", "matrix"),
        ),
    ]  # fmt: skip

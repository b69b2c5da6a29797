"""When hidden and output weights are determined by fused ones, and stay so with errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from planted import ReLUNetwork
from recovery.guarantees.base import Guarantee, Verdict, all_of, exceeds
from recovery.guarantees.bounded import Bounded, constant, data_of, least_squares, matmul, norm
from recovery.guarantees.gate_signs import TOL, exact_signs, fits
from recovery.guarantees.unfusing_samplers import network_instance, noisy_network
from recovery.instances import Instance
from recovery.unfusing import unfuse

__all__ = ["guarantees", "planted_signs"]

Rule = Callable[[Instance], Verdict]
_TAKEN = 1e-6
"""Share to which distances from hyperplanes are looked at: :func:`recovery.unfuse` takes less for rounding."""


def _blocks(instance: Instance) -> tuple[np.ndarray, np.ndarray, np.ndarray] | Verdict:
    """Return X, gates and the planted weights (p, d), or why there are none."""
    if instance.gated is None:
        return Verdict.unknown("A is no GatedOperator; the statement is about gates")
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
                    return Verdict.unknown(f"the values at gate {j} differ by rounding")
                return Verdict.of(False, f"the values at gate {j} differ")
            signs = exact_signs(X, (w != 0.0).astype(np.float64) if binary else w)
            if signs is None:
                return Verdict.unknown(f"an activation at gate {j} is within rounding of 0")
            possible = sum(fits(sign * signs, gate) for sign in ((1.0,) if binary else (1.0, -1.0)))
            if possible != 1:
                return Verdict.of(False, f"the block at gate {j} belongs to {possible} neurons")
        return Verdict.of(True, "each block belongs to one neuron")

    return hypotheses


def returns(*assumptions: str) -> Rule:
    """Return the outcome "there is a network, with the planted weights as its fused ones"."""

    def outcome(instance: Instance) -> Verdict:
        if instance.gated is None:
            return Verdict.unknown("A is no GatedOperator; the statement is about gates")
        X, gates = instance.gated
        for assumption in assumptions:
            try:
                network = unfuse(instance.x, X, gates, assumption, tol=TOL)
            except ValueError as error:
                return Verdict.of(False, f"{assumption}: {error}")
            wrong = _wrong(network, assumption, instance)
            if wrong:
                return Verdict.of(False, f"{assumption}: {wrong}")
        return Verdict.of(True, f"a network under {' and '.join(assumptions)}")

    return outcome


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
        return "the weights are not of the kind"
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
        return Verdict.unknown("A is no GatedOperator; the statement is about gates")
    found = [assumption for assumption in ("binary", "signs", "unit") if _network(instance, assumption) is not None]
    return Verdict.of(bool(found), f"un-fusing returns a network under {' and '.join(found) or 'no assumption'}")


def _network(instance: Instance, assumption: str) -> ReLUNetwork | None:
    X, gates = instance.gated  # type: ignore[misc]
    try:
        return unfuse(instance.x, X, gates, assumption, tol=TOL)
    except ValueError:
        return None


def _all_right(instance: Instance) -> Verdict:
    """Return whether every network that un-fusing returns has the weights and outputs that it should."""
    if instance.gated is None:
        return Verdict.unknown("A is no GatedOperator; the statement is about gates")
    for assumption in ("binary", "signs", "unit"):
        network = _network(instance, assumption)
        wrong = "" if network is None else _wrong(network, assumption, instance)
        if wrong:
            return Verdict.of(False, f"{assumption}: {wrong}")
    return Verdict.of(True, "what is returned is right")


def _least_squares(instance: Instance) -> np.ndarray | None:
    """Return least squares on the planted support, None where its columns are dependent up to rounding."""
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
            return Verdict.of(False, "the planted neurons are not determined, or their columns dependent")
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
            asked.append(exceeds(clear, off, f"distance of the data from the hyperplane of gate {j} over the error"))
        return all_of(asked)

    return hypotheses


def keeps_signs(instance: Instance) -> Verdict:
    """Return whether the un-fused least-squares weights have the planted signs, and the outputs A w^."""
    signs, estimate = planted_signs(instance), _least_squares(instance)
    if instance.gated is None or signs is None or estimate is None:
        return Verdict.unknown("there is nothing to compare with")
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
    return Verdict("holds" if right and same else "fails", max(flips, 0.0) if right and same else -1.0, "the signs")


def guarantees() -> list[Guarantee]:
    """Return the guarantees of un-fusing, :func:`recovery.unfuse`.

    Returns
    -------
    list of Guarantee
        The planted x of the instance is the fused w. Signs of activations are decided with fractions.
    """
    tests = "tests/recovery/test_guarantees_unfusing.py"
    source = "derived here: docs/derivations.md, section Un-fusing"
    return [
        Guarantee(
            "unfuse-binary",
            "equivalence",
            "Each w_j != 0 is v_j u_j with u_j = 1{w_j != 0} and D_j X u_j = relu(X u_j) <=> un-fusing w under binary "
            "hidden weights returns a network, namely these u_j and v_j.",
            source, tests, determined(True), returns("binary"), sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfuse-signs",
            "equivalence",
            "For each w_j != 0 exactly one sign v_j has D_j X w_j v_j = relu(X w_j v_j) <=> un-fusing w under output "
            "weights +-1, and with |u_j| = 1, returns networks, namely with these signs.",
            source, tests, determined(False), returns("signs", "unit"), sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfused-outputs",
            "implication",
            "Un-fusing returns a network => its weights fuse to w and its outputs on X are A w.",
            source, tests, _some_return, _all_right, sampler=network_instance, steer=None,
            scales=("data", "matrix"),
        ),
        Guarantee(
            "unfuse-least-squares",
            "implication",
            "w^ least squares on the support of w, |x_i . w_j| > |w^_j - w_j| |x_{i,S_j}| for all neurons j and rows i "
            "with x_{i,S_j} != 0 => un-fusing w^ with |u_j| = 1 returns the signs v_j of w, and outputs A w^.",
            source, tests, clear_of_the_data(1.0), keeps_signs, sampler=noisy_network,
            scales=("data", "matrix"),
        ),
    ]  # fmt: skip

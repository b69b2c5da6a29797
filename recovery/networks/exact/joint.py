"""Several outputs: a joint fit of lines that all outputs share, with separate strengths for each output.

f_k(x) = sum_j V_jk phi(u_j . x) + B_k . x with phi(z) = |z| and B free (the kink form), or phi = relu and B = 0 (the
network). It is linear in V and B and, as long as no gate moves, also in U. Every output has the columns phi(u_j . x)
and x_i, and the free entry (j, i) of U has the columns V_jk phi'(u_j . x) x_i. So one Gram matrix, of phi'(u_j . x)
x_i, phi(u_j . x) and x_i, contains all second moments of all outputs, and a Gauss-Newton step eliminates V and B output
by output. Since scale can be moved between u_j and V_j, the largest entry of u_j is held fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.linalg

from planted.base import arrays
from recovery.networks.exact.model import Inputs

__all__ = ["Shared", "System", "deviations", "evaluated", "polished"]

SLOW = 0.99
"""Steps end once one leaves more than this fraction of the squared residual."""
TURNED = 1e-6
"""The Gram matrix is recomputed once a step has changed an entry of a line by more than this."""
DEPENDENT = 1e-14
"""If columns are dependent, eigenvalues below this fraction of the largest count as zero."""
ROUNDING = 4e-16
"""Relative residual below which further steps gain nothing: about two units in the last place."""


@dataclass(frozen=True, eq=False)
class Shared:
    """Lines or neurons of several outputs, on the host.

    Attributes
    ----------
    weights : numpy.ndarray, shape (J, d)
        Row j is u_j.
    strengths : numpy.ndarray, shape (J, k)
        V.
    kept : numpy.ndarray of bool, shape (J, k)
        Which strengths are parameters; the others are 0.
    linear : numpy.ndarray, shape (d, k)
        B; zero for a network.
    bent : bool
        True: phi(z) = |z|, and B is a parameter; False: phi(z) = relu(z).
    """

    weights: np.ndarray
    strengths: np.ndarray
    kept: np.ndarray
    linear: np.ndarray
    bent: bool

    @classmethod
    def of_lines(cls, inputs: Inputs, units: np.ndarray, outputs: int) -> Shared:
        """Return the kink form with the given lines and the axes, with all strengths zero, for a number of outputs."""
        weights = np.concatenate([units, np.eye(inputs.n_inputs)[inputs.bent]])
        shape = len(weights), outputs
        return cls(weights, np.zeros(shape), np.ones(shape, dtype=bool), np.zeros((inputs.n_inputs, outputs)), True)

    @property
    def single(self) -> np.ndarray:
        """Mask of the atoms with one entry, which lie on the axes."""
        return np.count_nonzero(self.weights, axis=1) == 1

    @property
    def size(self) -> tuple[int, int]:
        """Number of atoms, and number of non-zeros in U and V."""
        return len(self.weights), int(np.count_nonzero(self.weights) + np.count_nonzero(self.strengths))

    def moving(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the atom and the input of each entry of U that is a parameter: all but the largest of each atom."""
        free = self.weights != 0
        free[np.arange(len(free)), np.abs(self.weights).argmax(axis=1)] = False
        atom, coordinate = np.nonzero(free)
        return atom, coordinate

    def without(self, zero: np.ndarray) -> Shared:
        """Return the model without some strengths, and without atoms that have none left."""
        kept = self.kept & ~zero
        some = kept.any(axis=1)
        strengths = np.where(kept, self.strengths, 0.0)
        return replace(self, weights=self.weights[some], strengths=strengths[some], kept=kept[some])


def evaluated(inputs: Inputs, model: Shared) -> Any:
    """Return the outputs at all samples, shape (k, n), on the device of the inputs."""
    xp = inputs.xp
    weights, strengths = inputs.put(model.weights), inputs.put(model.strengths.T)
    linear = inputs.put(model.linear.T)
    found = xp.empty((model.strengths.shape[1], inputs.n_samples), dtype=inputs.dtype)
    for rows in inputs.blocks(len(model.weights) + inputs.n_inputs):
        block = inputs.XT[:, rows]
        Z = weights @ block
        out = strengths @ (xp.abs(Z) if model.bent else xp.maximum(Z, 0))
        found[:, rows] = out + linear @ block if model.bent else out
    return found


def deviations(R: Any) -> np.ndarray:
    """Return the root mean square of each row, on the host."""
    xp = arrays.namespace(R)
    return arrays.to_numpy(xp.sqrt((R * R).mean(axis=1)))


def _columns(inputs: Inputs, model: Shared, atom: np.ndarray, coordinate: np.ndarray) -> Iterator[tuple[slice, Any]]:
    """Yield phi'(u_j . x) x_i for the entries (atom, coordinate), phi(u_j . x), and x_i, as rows, in blocks."""
    xp = inputs.xp
    atom_on, coordinate_on = xp.asarray(atom), xp.asarray(coordinate)
    weights, straight = inputs.put(model.weights), xp.asarray(inputs.straight)
    first, second = len(atom), len(atom) + len(model.weights)
    height = second + (len(inputs.straight) if model.bent else 0)
    for rows in inputs.blocks(height):
        block = inputs.XT[:, rows]
        G = xp.empty((height, rows.stop - rows.start), dtype=inputs.dtype)
        Z = weights @ block
        if first:
            slope = xp.sign(Z) if model.bent else (Z > 0).astype(inputs.dtype)
            xp.multiply(slope[atom_on], block[coordinate_on], out=G[:first])
        G[first:second] = xp.abs(Z) if model.bent else xp.maximum(Z, 0)
        if model.bent:
            G[second:] = block[straight]
        yield rows, G


@dataclass(frozen=True, eq=False)
class System:
    """The normal equations of all outputs at one U.

    Attributes
    ----------
    Q : numpy.ndarray, shape (p + q, p + q)
        Gram matrix of the p moving columns and the q features of every output.
    atom, coordinate : numpy.ndarray of int, shape (p,)
        The free entries of U; none if only strengths are fitted.
    straight : numpy.ndarray of int
        Inputs of the linear part that are features.
    noise : numpy.ndarray, shape (k,)
        Deviation of each output's residual at a fit; outputs are weighted by its inverse square.
    """

    Q: np.ndarray
    atom: np.ndarray
    coordinate: np.ndarray
    straight: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, inputs: Inputs, model: Shared, noise: np.ndarray, *, turning: bool = True) -> System:
        """Sum the Gram matrix over the samples; without `turning`, U is held fixed."""
        atom, coordinate = model.moving()
        if not turning:
            atom, coordinate = atom[:0], coordinate[:0]
        straight = inputs.straight if model.bent else inputs.straight[:0]
        height = len(atom) + len(model.weights) + len(straight)
        Q = inputs.xp.zeros((height, height), dtype=np.float64)
        for _, G in _columns(inputs, model, atom, coordinate):
            Q += G @ G.T
        return cls(arrays.to_numpy(Q), atom, coordinate, straight, noise)

    def active(self, model: Shared, output: int) -> np.ndarray:
        """Return which rows of Q are linear columns of an output."""
        first = len(self.atom)
        extra = first + len(model.weights) + np.arange(len(self.straight))
        return np.concatenate([first + np.flatnonzero(model.kept[:, output]), extra])

    def _eliminated(
        self, model: Shared, *, strict: bool = False
    ) -> tuple[list[_Factor], list[np.ndarray], np.ndarray, np.ndarray]:
        """Return each output's factor, V's response to U, the normal matrix of U with V eliminated, and stuck entries.

        Entries of atoms without strengths are stuck, because nothing depends on them.
        """
        first = len(self.atom)
        factors, follows, left = [], [], np.zeros((first, first))
        for output in range(model.strengths.shape[1]):
            on = self.active(model, output)
            own = model.strengths[self.atom, output]
            factor = _factor(self.Q[np.ix_(on, on)], strict=strict)
            cross = own[:, None] * self.Q[:first, on]
            follow = factor.solve(cross.T)
            moved = np.outer(own, own) * self.Q[:first, :first] - cross @ follow
            left += moved / self.noise[output] ** 2
            factors.append(factor)
            follows.append(follow)
        stuck = (model.strengths[self.atom] == 0).all(axis=1)
        left[stuck, stuck] = 1.0
        return factors, follows, (left + left.T) / 2, stuck

    def step(self, inputs: Inputs, model: Shared, R: Any) -> Shared:
        """Return the model after a Gauss-Newton step from its residual R, shape (k, n)."""
        first, outputs = len(self.atom), model.strengths.shape[1]
        T = inputs.xp.zeros((len(self.Q), outputs), dtype=np.float64)
        for rows, G in _columns(inputs, model, self.atom, self.coordinate):
            T += G @ R[:, rows].T
        T = arrays.to_numpy(T)
        factors, follows, left, stuck = self._eliminated(model)
        pull = np.zeros(first)
        for output, follow in enumerate(follows):
            own = model.strengths[self.atom, output]
            on = self.active(model, output)
            pull += (own * T[:first, output] - follow.T @ T[on, output]) / self.noise[output] ** 2
        turn = _factor(left).solve(np.where(stuck, 0.0, pull))
        weights, strengths, linear = model.weights.copy(), model.strengths.copy(), model.linear.copy()
        weights[self.atom, self.coordinate] += turn
        for output, (factor, follow) in enumerate(zip(factors, follows, strict=True)):
            change = factor.solve(T[self.active(model, output), output]) - follow @ turn
            atoms = np.flatnonzero(model.kept[:, output])
            strengths[atoms, output] += change[: len(atoms)]
            linear[self.straight, output] += change[len(atoms) :]
        return replace(model, weights=weights, strengths=strengths, linear=linear)

    def restricted(self, model: Shared, kept: np.ndarray) -> Shared:
        """Return the least-squares fit with fewer strengths and U fixed, starting from a least-squares fit."""
        strengths, linear = np.zeros_like(model.strengths), np.zeros_like(model.linear)
        smaller = replace(model, strengths=strengths, kept=kept, linear=linear)
        for output in range(model.strengths.shape[1]):
            all_on, on = self.active(model, output), self.active(smaller, output)
            values = np.concatenate(
                [model.strengths[model.kept[:, output], output], model.linear[self.straight, output]]
            )
            found = _factor(self.Q[np.ix_(on, on)]).solve(self.Q[np.ix_(on, all_on)] @ values)
            count = int(kept[:, output].sum())
            strengths[kept[:, output], output] = found[:count]
            linear[self.straight, output] = found[count:]
        return smaller

    def variances(self, model: Shared) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the variances of U, V and B; infinite for entries that are not parameters, 0 for those held fixed.

        Raises
        ------
        numpy.linalg.LinAlgError
            If columns are dependent: the data do not determine the parameters.
        """
        factors, follows, left, stuck = self._eliminated(model, strict=True)
        inverse = _factor(left, strict=True).solve(np.diag(np.where(stuck, 0.0, 1.0)))
        of_weights = np.where(model.weights != 0, 0.0, np.inf)
        of_weights[self.atom, self.coordinate] = np.where(stuck, np.inf, np.diag(inverse))
        of_strengths = np.full(model.strengths.shape, np.inf)
        of_linear = np.full(model.linear.shape, np.inf)
        for output, (factor, follow) in enumerate(zip(factors, follows, strict=True)):
            alone = self.noise[output] ** 2 * np.diag(factor.solve(np.eye(len(follow))))
            total = np.maximum(alone, 0.0) + ((follow @ inverse) * follow).sum(axis=1)
            atoms = np.flatnonzero(model.kept[:, output])
            of_strengths[atoms, output] = total[: len(atoms)]
            of_linear[self.straight, output] = total[len(atoms) :]
        return of_weights, of_strengths, of_linear


@dataclass(frozen=True, eq=False)
class _Factor:
    """Cholesky factor, or failing that the pseudoinverse, of a matrix scaled to unit diagonal."""

    factor: Any
    scale: np.ndarray
    inverse: np.ndarray | None = None

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Solve for one or several right-hand sides."""
        if not len(self.scale):
            return np.zeros_like(right)
        scale = self.scale if right.ndim == 1 else self.scale[:, None]
        if self.inverse is not None:
            return self.inverse @ (right / scale) / scale
        return scipy.linalg.cho_solve(self.factor, right / scale, check_finite=False) / scale


def _factor(matrix: np.ndarray, *, strict: bool = False) -> _Factor:
    """Factorise; if columns are dependent, fail (strict) or use the pseudoinverse."""
    diagonal = np.diag(matrix)
    positive = diagonal > 0
    if strict and not positive.all():
        raise np.linalg.LinAlgError("a column is zero, or depends linearly on others")
    # after cancellation the diagonal of a dependent column may even be negative: it then gets no weight
    scale = np.sqrt(np.where(positive, diagonal, diagonal.max(initial=1.0)))
    if not len(scale):
        return _Factor(None, scale)
    scaled = matrix / np.outer(scale, scale)
    try:
        return _Factor(scipy.linalg.cho_factor(scaled, check_finite=False), scale)
    except np.linalg.LinAlgError:
        if strict:
            raise
    return _Factor(None, scale, np.linalg.pinv(scaled, rcond=DEPENDENT, hermitian=True))


def polished(inputs: Inputs, Y: Any, model: Shared, system: System, steps: int = 6) -> tuple[Shared, Any, System]:
    """Make joint Gauss-Newton steps for all outputs; return the best model, its residual, and its equations.

    Parameters
    ----------
    inputs : Inputs
        The inputs, in float64.
    Y : array of float64, shape (k, n)
        Targets.
    model : Shared
        The start, close to the fit or without strengths.
    system : System
        Its equations.
    steps : int
        Largest number of steps.

    Returns
    -------
    model, R, system
    """
    R = Y - evaluated(inputs, model)
    found, rounding, noise = deviations(R), ROUNDING * deviations(Y), system.noise
    for _ in range(steps):
        if (found <= rounding).all():
            break
        trial = system.step(inputs, model, R)
        left = Y - evaluated(inputs, trial)
        reached = deviations(left)
        before, after = float(((found / noise) ** 2).sum()), float(((reached / noise) ** 2).sum())
        if not after < before:
            break
        turned = float(np.abs(trial.weights - model.weights).max(initial=0.0))
        model, R, found = trial, left, reached
        if turned > TURNED:
            system = System.of(inputs, model, noise, turning=True)
        elif after > SLOW * before:
            break
    return model, R, system

"""The noise-free problems on which solvers are compared: 62 cells with n = 200, twenty seeds each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CELLS", "Cell", "draw"]

N_ROWS = 200


@dataclass(frozen=True)
class Cell:
    """A design, a law of amplitudes, a number of columns, and a sparsity.

    Parameters
    ----------
    design : {"iid", "toeplitz .5", "toeplitz .8", "equi .5", "scales", "relu"}
        Rows N(0, I / n); AR(1) along the columns; one factor that all columns share; iid with columns times
        10^U(-1, 1); a ReLU network of 50 random gates on 20 inputs, as a matrix.
    amplitudes : {"normal", "signs", "decay"}
        N(0, 1); +-1; +-.9^j.
    n_columns, sparsity : int
        N and k.
    """

    design: str
    amplitudes: str
    n_columns: int
    sparsity: int

    def __str__(self) -> str:
        return f"{self.design}, {self.amplitudes}, N={self.n_columns}, k={self.sparsity}"


def _cells() -> list[Cell]:
    found = []
    sizes = {
        ("normal", 400): (50, 65, 80, 95, 110),
        ("normal", 1000): (35, 45, 55, 65, 75),
        ("signs", 400): (30, 40, 50, 60, 70),
        ("signs", 1000): (20, 30, 40, 50, 60),
        ("decay", 400): (50, 70, 90),
        ("decay", 1000): (40, 60, 80),
    }
    for (amplitudes, columns), many in sizes.items():
        found += [Cell("iid", amplitudes, columns, k) for k in many]
    for design in ("toeplitz .5", "toeplitz .8", "equi .5", "scales"):
        found += [Cell(design, "normal", 1000, k) for k in (30, 45, 60)]
        found += [Cell(design, "signs", 1000, k) for k in (15, 25, 35, 45)]
    for amplitudes in ("normal", "signs"):
        found += [Cell("relu", amplitudes, 1000, k) for k in (5, 10, 15, 20)]
    return found


CELLS = _cells()


def draw(cell: Cell, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, y = A x and x of a cell.

    Parameters
    ----------
    cell : Cell
        Which.
    seed : int
        Of all that is drawn: design first, then support and amplitudes.

    Returns
    -------
    A : numpy.ndarray, shape (200, N)
        The matrix.
    y : numpy.ndarray, shape (200,)
        Data without noise.
    x : numpy.ndarray, shape (N,)
        The planted weights.
    """
    rng, n, size = np.random.default_rng(seed), N_ROWS, cell.n_columns
    A = rng.standard_normal((n, size))
    if cell.design.startswith("toeplitz"):
        rho = float(cell.design.split()[1])
        for j in range(1, size):
            A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    elif cell.design.startswith("equi"):
        rho = float(cell.design.split()[1])
        A = np.sqrt(rho) * rng.standard_normal((n, 1)) + np.sqrt(1 - rho) * A
    elif cell.design == "scales":
        A = A * 10.0 ** rng.uniform(-1, 1, size)
    elif cell.design == "relu":
        inputs, gates = A[:, :20], rng.standard_normal((20, 50))
        A = np.concatenate([inputs * ((inputs @ g) > 0)[:, None] for g in gates.T], axis=1)
    A = A / np.sqrt(n)
    support = rng.permutation(size)[: cell.sparsity]
    if cell.amplitudes == "normal":
        values = rng.standard_normal(cell.sparsity)
    else:
        values = rng.choice([-1.0, 1.0], cell.sparsity)
        if cell.amplitudes == "decay":
            values = values * 0.9 ** np.arange(cell.sparsity)
    x = np.zeros(size)
    x[support] = values
    return A, A @ x, x

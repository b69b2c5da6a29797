"""To how many digits data determine a line: definitions written out, refits of rounded labels, planted cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

import planted
from planted.kinks import KinkForm
from recovery.diagnosis import identifiability
from recovery.networks.exact import fit_exact

EPS = float(np.finfo(float).eps)


def small(n=80, d=4, seed=0):
    """Return inputs and a form with lines of two and three inputs and one on an axis."""
    X = planted.gaussian_inputs(n, d, rng=seed)
    weights = np.zeros((3, d))
    weights[0, :2], weights[1, 1:], weights[2, 3] = (1.0, -0.6), (0.4, 0.8, -0.5), 1.0
    return X, form_of(weights, np.array([2.0, -1.0, 0.7]), np.linspace(-1, 1, d))


def form_of(weights, strengths, linear):
    units = weights / np.sqrt((weights**2).sum(axis=1))[:, None]
    largest = np.abs(units).argmax(axis=1)
    return KinkForm((units * np.sign(units[range(len(units)), largest])[:, None]).T, strengths, linear)


def written_out(X, form):
    """Return the columns of the free kink form, and which of them belong to each line."""
    d = X.shape[1]
    parts, own = [X, np.abs(X)], []
    width = 2 * d
    for line, support in enumerate(form.supports):
        if len(support) == 1:
            own.append([d + support[0]])
            continue
        side = np.sign(form.strengths[line]) * np.sign(X @ form.directions[:, line])
        parts.append(side[:, None] * X[:, list(support)])
        own.append(list(range(width, width + len(support))))
        width += len(support)
    return np.hstack(parts), own


def weights_of(form):
    return [np.abs(form.strengths[line]) / 2 * form.directions[:, line] for line in range(form.n_lines)]


def between_of(X, u, v):
    """Count the rows between two hyperplanes, one row at a time."""
    same = sum(np.sign(u @ x) == np.sign(v @ x) for x in X)
    opposite = sum(np.sign(u @ x) == -np.sign(v @ x) for x in X)
    return len(X) - max(same, opposite)


def test_the_numbers_are_their_definitions(backend):
    X, form = small()
    here = KinkForm(backend.put(form.directions), backend.put(form.strengths), backend.put(form.linear))
    found = identifiability(backend.put(X), here)
    F, own = written_out(X, form)
    values = np.linalg.svd(F, compute_uv=False)
    scaled = np.linalg.svd(F / np.linalg.norm(F, axis=0), compute_uv=False)
    assert (found.n_samples, found.n_unknowns, found.rank) == (*F.shape, F.shape[1])
    assert found.sigma_min == pytest.approx(values[-1], rel=1e-12)
    assert found.condition == pytest.approx(scaled[0] / scaled[-1], rel=1e-12)
    pseudo = np.linalg.pinv(F)
    gains = [np.linalg.norm(pseudo[rows], 2) for rows in own]
    np.testing.assert_allclose(found.errors, EPS * np.linalg.norm(form(X)) * np.array(gains), rtol=1e-11)
    sizes = np.abs(form.strengths) / 2
    np.testing.assert_allclose(found.digits, -np.log10(found.errors / sizes), rtol=1e-12)
    # lines 0 and 1 with each other and with the axes; line 2 lies on the axis of input 3
    bends = [*form.directions.T[:2], *np.eye(4)]
    names = [0, 1, 3, 4, 5, 2]
    for line, place in ((0, 0), (1, 1), (2, 5)):
        others = [k for k in range(6) if k != place and not (place == 5 and k >= 2)]
        angles = {names[k]: math.acos(abs(bends[place] @ bends[k])) for k in others}
        assert found.angles[line] == pytest.approx(min(angles.values()), rel=1e-12)
        assert found.nearest[line] == min(angles, key=angles.get)
        wedges = {}
        for k in others:
            shared = np.count_nonzero((bends[place] != 0) & (bends[k] != 0))
            if shared:
                wedges[names[k]] = (between_of(X, bends[place], bends[k]) / shared, shared)
        hardest = int(found.hardest[line])
        assert hardest == min(wedges, key=wedges.get)
        assert (found.between[line] / found.shared[line], found.shared[line]) == wedges[hardest]
    assert found.determined
    assert found.apart.all()
    assert not found.undecided.any()


def test_refits_of_rounded_labels_are_within_the_prediction_which_is_reached():
    X, form = small(n=200)
    F, own = written_out(X, form)
    y = form(X)
    found = identifiability(X, form, precision=2.0**-24)
    start = np.linalg.lstsq(F, y, rcond=None)[0]
    worst = np.zeros(3)
    for trial in range(50):
        # labels times 1 + t, all of them different numbers, rounded to float32 and back
        scale = 1 + trial / 64
        rounded = (scale * y).astype(np.float32).astype(float) / scale
        moved = np.linalg.lstsq(F, rounded, rcond=None)[0] - start
        worst = np.maximum(worst, [np.linalg.norm(moved[rows]) for rows in own])
    assert (worst <= found.errors).all()
    # a rounding is .29 to .58 of 2^-24 |y_k| in the root mean square and points anywhere, in n directions of which a
    # line sees one or more: far from the worst case, not out of sight
    assert (worst > 0.29 * found.errors / math.sqrt(len(X))).all()
    pseudo = np.linalg.pinv(F)
    for rows, error in zip(own, found.errors, strict=True):
        _, _, Vt = np.linalg.svd(pseudo[rows])
        e = Vt[0] * 2.0**-24 * np.linalg.norm(y)
        moved = np.linalg.lstsq(F, y + e, rcond=None)[0] - start
        # moved is 1e-7 of the weights, of which rounding with cond(F) < 100 leaves 1e-13
        assert np.linalg.norm(moved[rows]) == pytest.approx(error, rel=1e-5)


@pytest.mark.parametrize(("m", "s"), [(2, 8), (5, 20), (10, 40), (20, 60)])
@pytest.mark.parametrize("signs", ["positive", "mixed"])
def test_planted_networks_are_found_to_the_digits_that_are_predicted(m, s, signs):
    X = planted.gaussian_inputs(1500, 15, rng=5)
    truth = planted.sparse_network(15, m, s, signs=signs, rng=m)
    fit = fit_exact(X, truth(X), n_neurons=m, sparsity=s, search_steps=2000, rng=0)
    form = truth.kink_form()
    found = identifiability(X, form)
    assert fit.success
    assert found.determined
    # labels that differ by the fit's residual and by rounding in the sums of up to d products
    level = (fit.relative_residual + 16 * EPS) / EPS
    planted_weights, got = np.array(weights_of(form)), np.array(weights_of(fit.kink_form))
    for line, w in enumerate(planted_weights):
        gap = np.minimum(np.linalg.norm(got - w, axis=1), np.linalg.norm(got + w, axis=1)).min()
        assert gap <= level * found.errors[line]
        assert gap <= level * 10 ** -found.digits[line] * np.linalg.norm(w) * (1 + 1e-12)


def close_lines(rows_between, shared=2, n=400, d=5, seed=2):
    """Return inputs of which a given number lie between two close lines, and the form."""
    rng = np.random.default_rng(seed)
    weights = np.zeros((3, d))
    weights[0, :shared] = rng.standard_normal(shared)
    weights[1] = weights[0]
    weights[1, :shared] += 0.05 * rng.standard_normal(shared)
    weights[2, 3:] = 1.0, -0.7
    X = rng.standard_normal((200 * n, d))
    split = np.sign(X @ weights[0]) != np.sign(X @ weights[1])
    X = np.concatenate([X[split][:rows_between], X[~split][: n - rows_between]])
    return X, form_of(weights, np.array([1.0, 1.5, 0.8]), np.zeros(d))


@pytest.mark.parametrize("shared", [2, 3])
def test_lines_with_fewer_rows_between_than_unknowns_are_not_told_apart(shared):
    for rows in range(shared):
        X, form = close_lines(rows, shared)
        found = identifiability(X, form)
        assert list(found.apart) == [False, False, True]
        assert found.rank == found.n_unknowns - (shared - rows)
        assert (found.between[0], found.shared[0], found.hardest[0], found.hardest[1]) == (rows, shared, 1, 0)
        assert found.thinnest == (rows, shared)
        assert (found.sigma_min, found.condition) == (0.0, math.inf)
        assert list(found.digits[:2]) == [0.0, 0.0]
        assert found.digits[2] > 13
        assert not found.determined
        assert f"{rows} row{'' if rows == 1 else 's'} between them for {shared} unknowns" in " ".join(found.sentences())
        # brute force: both weights move along the null space, and no label notices
        F, own = written_out(X, form)
        _, values, Vt = np.linalg.svd(F)
        assert values[-1] < 1e-13 * values[0]
        assert np.linalg.norm(Vt[-1][own[0]]) > 0.5
        assert np.linalg.norm(Vt[-1][own[2]]) < 1e-10


@pytest.mark.parametrize("shared", [2, 3])
def test_as_many_rows_between_as_unknowns_are_enough(shared):
    X, form = close_lines(shared, shared)
    found = identifiability(X, form)
    assert found.determined
    assert found.thinnest == (shared, shared)
    assert found.rank == found.n_unknowns
    assert (found.digits > 8).all()
    assert "All lines are distinguished by the data: 3 lines" in " ".join(found.sentences())


def test_lines_closer_than_the_error_are_not_told_apart():
    X, form = close_lines(3)
    assert identifiability(X, form).apart.all()
    coarse = identifiability(X, form, precision=1e-3)
    assert list(coarse.apart) == [False, False, True]
    assert "half of the angle" in " ".join(coarse.sentences())


def test_more_unknowns_than_rows_determine_nothing():
    X, form = small(n=11)
    found = identifiability(X, form)
    assert (found.n_unknowns, found.rank) == (13, 11)
    assert not found.apart.any()
    assert not found.determined


def test_bends_that_the_rows_do_not_see():
    X, form = small()
    X = np.array(X)
    X[:, 3] = np.abs(X[:, 3])  # |x_3| = x_3: the bend on this axis is one of the linear part
    found = identifiability(X, form)
    assert list(found.apart) == [True, True, False]
    assert found.digits[2] == 0
    assert found.nearest[2] == -1
    assert "Line 2 (input 3) is not determined" in " ".join(found.sentences())
    # an input that is always zero: the weights of its lines are unknown
    X[:, 3] = 0.0
    found = identifiability(X, form)
    assert list(found.apart) == [True, False, False]


def test_an_error_of_the_sine_of_half_the_angle_may_move_a_line_onto_its_neighbour():
    X = planted.gaussian_inputs(80, 2, rng=0)
    form = form_of(np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([1.0, 1.0]), np.zeros(2))
    first = identifiability(X, form)
    (half,) = {round(float(angle) / 2, 12) for angle in first.angles}
    relative = (first.errors / (np.abs(form.strengths) / 2)).max()

    def apart(share):
        return identifiability(X, form, precision=EPS * share / relative).apart.all()

    # vectors of norm 1 at an angle of 2 half are sin(half) away from the line between the two
    assert apart(0.999 * math.sin(half))
    assert not apart(1.001 * math.sin(half))
    assert math.sin(half) * 1.01 < half


def test_rows_that_rounding_may_move_across_a_line_are_counted():
    X, form = small()
    X = np.array(X)
    u = form.directions[:, 0]
    X[:3] -= np.outer(X[:3] @ u, u)  # on the line, to rounding
    # the nearest other row is 1e-3 or so away
    assert list(identifiability(X, form, precision=1e-10).undecided) == [3, 0, 0]


@pytest.mark.parametrize(("inputs", "weights"), [(40, -90), (-300, 300), (0, 700)])
def test_powers_of_two_change_nothing(inputs, weights):
    X, form = small()
    one = identifiability(X, form)
    other = identifiability(
        np.ldexp(X, inputs),
        KinkForm(form.directions, np.ldexp(form.strengths, weights), np.ldexp(form.linear, weights)),
    )
    for name in ("angles", "digits", "between", "shared", "undecided", "apart", "condition", "rank"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert other.sigma_min == math.ldexp(one.sigma_min, inputs)
    assert np.array_equal(other.errors, np.ldexp(one.errors, weights))


def test_nothing_to_determine():
    found = identifiability(planted.gaussian_inputs(30, 3, rng=0), planted.ReLUNetwork([np.zeros((3, 1)), np.ones(1)]))
    assert (found.n_lines, found.n_unknowns, found.rank, found.determined) == (0, 6, 6, True)
    assert (found.smallest_angle, found.thinnest) == (math.inf, (30, 0))
    assert "0 lines" in repr(found)
    empty = identifiability(np.zeros((5, 2)), planted.ReLUNetwork([np.zeros((2, 1)), np.ones(1)]))
    assert (empty.n_unknowns, empty.rank) == (0, 0)


def test_wrong_arguments_are_sentences():
    X, form = small()
    network = planted.sparse_network(4, 2, 4, rng=0)
    for wrong, error, text in (
        ((X[:, :3], form), ValueError, "network has 4 inputs; expected 3"),
        ((X, "net"), TypeError, "network is a str; expected a ReLUNetwork or a KinkForm"),
        (
            (X, planted.ReLUNetwork([np.ones((4, 2)), np.ones((2, 3))])),
            ValueError,
            "network has 3 outputs; expected one",
        ),
        ((X, planted.ReLUNetwork([np.ones((4, 2)), np.ones((2, 2)), np.ones(2)])), ValueError, "2 hidden layers"),
        ((np.full((3, 4), np.nan), network), ValueError, "X"),
    ):
        with pytest.raises(error, match=text):
            identifiability(*wrong)
    with pytest.raises(ValueError, match="precision"):
        identifiability(X, network, precision=-1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("m", "s", "seed", "angle", "rows", "condition", "digits"),
    [
        (50, 100, 0, 1.2e-2, 187, 1.1e4, 11),
        (200, 500, 2, 1.3e-2, 217, 1.1e4, 8.5),
        (1000, 1000, 1, 5.4e-4, 10, 1.8e6, 8),
    ],
)
def test_no_cell_of_figure_1_is_ill_posed(m, s, seed, angle, rows, condition, digits):
    X, _, truth = planted.release_instance(m, s, seed)
    found = identifiability(X, truth)
    assert found.determined
    assert found.fewest_digits > digits
    assert found.smallest_angle == pytest.approx(angle, rel=0.05)
    assert found.thinnest[0] == rows
    assert found.condition == pytest.approx(condition, rel=0.1)
    # with labels of float32 the close lines of the largest cell are known to a digit, or to none
    if m == 1000:
        assert identifiability(X, truth, precision=2.0**-24).fewest_digits < 1

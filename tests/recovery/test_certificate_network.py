"""Certificates that a network is the only one nearby: true claims, refusals with a reason, files and their data."""

import dataclasses
import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

import planted
from paper_repro.cli import main
from recovery.certificates import Certificate, checker, network_certificate, network_distance
from recovery.certificates import network as module
from recovery.certificates.network import NotCertified
from recovery.networks.exact import fit_exact, fitting
from recovery.networks.exact.model import Inputs, Lines, columns


def problem(n=400, d=6, m=3, s=8, seed=0, signs="mixed", labels="float64"):
    X = planted.gaussian_inputs(n, d, rng=seed)
    truth = planted.sparse_network(d, m, s, signs=signs, rng=seed + 1)
    return X, truth(X).astype(labels).astype(float), truth


X, Y, TRUTH = problem()
FORM = TRUTH.kink_form()
CERTIFICATE = network_certificate(X, Y, FORM)
HASHED = network_certificate(X, Y, FORM, inside=0)


def weights_of(certificate):
    """All weights, in the order of the columns, and the exact model of a certificate."""
    claim = certificate.claim
    parts = [claim["linear"], claim["axes"], *claim["lines"]]
    return [[Fraction(one) for one in part["weights"]] for part in parts], parts


def values_of(parts, weights, rows):
    """f on rows of Fractions, from its definition."""
    found = []
    for x in rows:
        total = sum(w * x[i] for i, w in zip(parts[0]["inputs"], weights[0], strict=True))
        total += sum(w * abs(x[i]) for i, w in zip(parts[1]["inputs"], weights[1], strict=True))
        for part, own in zip(parts[2:], weights[2:], strict=True):
            z = sum(w * x[i] for i, w in zip(part["inputs"], own, strict=True))
            total += part["sign"] * (abs(z) if part["gate"] == "abs" else max(z, 0))
        found.append(total)
    return found


def columns_of(certificate, rows):
    """The matrix of the model on some rows, in floats, from its definition."""
    weights, parts = weights_of(certificate)
    F = [rows[:, parts[0]["inputs"]], np.abs(rows[:, parts[1]["inputs"]])]
    for part, own in zip(parts[2:], weights[2:], strict=True):
        z = rows[:, part["inputs"]] @ np.array([float(one) for one in own])
        gate = np.sign(z) if part["gate"] == "abs" else (z > 0).astype(float)
        F.append(part["sign"] * gate[:, None] * rows[:, part["inputs"]])
    return np.concatenate(F, axis=1)


def test_claims_are_true_and_close_to_what_can_be_claimed():
    claim = CERTIFICATE.claim
    report = CERTIFICATE.check()
    assert report.valid, report.reason
    assert "exactly one of them has the least residual; for the 400 x 6 matrix X" in report.statement
    weights, parts = weights_of(CERTIFICATE)
    rows = [[Fraction(one) for one in row] for row in X.tolist()]
    squared = sum((Fraction(y) - f) ** 2 for y, f in zip(Y.tolist(), values_of(parts, weights, rows), strict=True))
    residual = Fraction(claim["residual"])
    assert 0.9999 * float(residual) ** 2 <= float(squared) <= float(residual) ** 2
    assert squared <= residual**2
    for part, own in zip(parts[2:], weights[2:], strict=True):
        shares = []
        for row in rows:
            x = [row[i] for i in part["inputs"]]
            shares.append(sum(a * b for a, b in zip(own, x, strict=True)) ** 2 / sum(a * a for a in x))
        radius = Fraction(part["radius"])
        assert radius**2 < min(shares)
        assert float(radius) > 0.999 * float(min(shares)) ** 0.5
        chosen = [shares[k] for k in CERTIFICATE.proof["rows"]]
        assert Fraction(part["reach"]) ** 2 < min(chosen)
    sigma = np.linalg.svd(columns_of(CERTIFICATE, X), compute_uv=False)[-1]
    assert 0.4 * sigma < CERTIFICATE.sigma_min < sigma
    assert CERTIFICATE.sigma_min == float(Fraction(claim["sigma"]))
    assert CERTIFICATE.error_bound >= 2 * CERTIFICATE.residual / CERTIFICATE.sigma_min
    assert 0 < CERTIFICATE.error_bound < 1e-13 < CERTIFICATE.radius < CERTIFICATE.reach


@pytest.mark.parametrize("which", ["kinks", "neurons"])
def test_networks_within_reach_keep_the_inequality(which):
    """An attack: random and worst moves up to the reach, and residuals that are as small as they can be."""
    certificate = CERTIFICATE if which == "kinks" else network_certificate(X, Y, TRUTH)
    weights, parts = weights_of(certificate)
    found = np.concatenate([[float(one) for one in own] for own in weights])
    sigma, rng = certificate.sigma_min, np.random.default_rng(5)
    lowest = np.linalg.svd(columns_of(certificate, X[certificate.proof["rows"]]))[2][-1]
    tried = 0
    for trial in range(300):
        move = lowest * rng.choice([-1, 1]) if trial % 3 == 0 else rng.standard_normal(len(found))
        at = len(weights[0]) + len(weights[1])
        scale = rng.uniform(0.1, 1.0)
        most = []
        for part in parts[2:]:
            norm = np.linalg.norm(move[at : at + len(part["inputs"])])
            most.append(float(Fraction(part["reach"])) / norm if norm else np.inf)
            at += len(part["inputs"])
        other = found + scale * min(most) * move
        pieces, at = [], 0
        for own in weights:
            pieces.append([float(one) for one in other[at : at + len(own)]])
            at += len(own)
        f = np.array(values_of(parts, pieces, X.tolist()))
        eps = np.linalg.norm(Y - f)
        assert np.linalg.norm(other - found) <= (eps + certificate.residual) / sigma * (1 + 1e-9)
        tried += eps > 0
    assert tried == 300


def test_gates_are_strict_within_the_radius_and_the_radius_is_the_largest():
    weights, parts = weights_of(CERTIFICATE)
    for part, own in zip(parts[2:], weights[2:], strict=True):
        w = np.array([float(one) for one in own])
        Z = X[:, part["inputs"]]
        k = int(np.argmin(np.abs(Z @ w) / np.linalg.norm(Z, axis=1)))
        step = -np.sign(Z[k] @ w) * Z[k] / np.linalg.norm(Z[k])  # straight to the closest hyperplane
        radius = float(Fraction(part["radius"]))
        assert (np.sign(Z @ (w + radius * step)) == np.sign(Z @ w)).all()
        assert np.sign(Z[k] @ (w + 1.00001 * radius * step)) == -np.sign(Z[k] @ w)


def test_a_network_of_neurons_is_certified_in_its_own_weights():
    certificate = network_certificate(X, Y, TRUTH)
    assert certificate.check().valid
    assert {line["gate"] for line in certificate.claim["lines"]} == {"relu"}
    assert sum(len(line["inputs"]) for line in certificate.claim["lines"]) == TRUTH.sparsity
    found = network_distance(certificate, TRUTH)
    assert found.inside
    assert found.same_gates
    assert found.distance == 0.0


def test_distances_are_those_of_weights_and_of_other_structures_infinite():
    assert network_distance(CERTIFICATE, TRUTH) == network_distance(CERTIFICATE, FORM)
    moved = dataclasses.replace(FORM, strengths=FORM.strengths * (1 + 1e-8), linear=FORM.linear * (1 + 1e-8))
    found = network_distance(CERTIFICATE, moved)
    size = np.linalg.norm(np.concatenate([FORM.strengths / 2, FORM.linear]))
    assert found.inside
    assert found.distance == pytest.approx(1e-8 * size, rel=1e-6)
    far = network_distance(CERTIFICATE, dataclasses.replace(FORM, strengths=FORM.strengths * 2))
    assert not far.inside
    assert not far.same_gates
    assert np.isfinite(far.distance)
    other = planted.sparse_network(6, 3, 8, rng=9).kink_form()
    assert network_distance(CERTIFICATE, other).distance == np.inf
    fewer = planted.KinkForm(FORM.directions[:, :1], FORM.strengths[:1], FORM.linear)
    assert not network_distance(CERTIFICATE, fewer).inside
    with pytest.raises(ValueError, match="expected 'network'"):
        network_distance(Certificate("l1-dual", {}, {}, {}), FORM)


def test_rows_on_a_hyperplane_are_listed():
    line = np.flatnonzero([len(one) > 1 for one in FORM.supports])[0]
    i, j = FORM.supports[line][:2]
    on = X.copy()
    w = FORM.directions[:, line]
    for k in (7, 31):
        on[k] = 0.0
        on[k, i], on[k, j] = 1.0, -w[i] / w[j]
    exactly = planted.KinkForm(np.eye(6)[:, :1] + np.eye(6)[:, 1:2], [1.0], np.zeros(6))
    integers = np.random.default_rng(0).integers(-3, 4, (200, 6)).astype(float)
    with pytest.raises(NotCertified, match=r"row\(s\) .*\.\.\. lie on the hyperplane of line 0 \(inputs 0, 1\)"):
        network_certificate(integers, exactly(integers), exactly)
    with pytest.raises(NotCertified, match=r"row\(s\) 7, 31 lie on the hyperplane of line"):
        network_certificate(on, FORM(on), FORM)  # the quotient is rounded: they lie on it up to that


def test_rows_without_an_input_of_a_line_do_no_harm():
    sparse = X * (np.random.default_rng(1).random(X.shape) < 0.5)
    certificate = network_certificate(sparse, FORM(sparse), FORM)
    assert certificate.check().valid
    blank = [k for k in range(len(X)) if not sparse[k, CERTIFICATE.claim["lines"][0]["inputs"]].any()]
    assert blank


def test_what_the_data_do_not_determine_is_refused():
    with pytest.raises(NotCertified, match=r"there are 12 rows for \d+ weights"):
        network_certificate(X[:12], Y[:12], FORM)
    doubled = np.column_stack([X, X[:, 0]])
    wide = planted.KinkForm(
        np.vstack([FORM.directions, np.zeros(FORM.n_lines)]), FORM.strengths, np.append(FORM.linear, 0.0)
    )
    with pytest.raises(NotCertified, match=r"the columns of the model are dependent.*x_6"):
        network_certificate(doubled, Y, wide)
    assert network_certificate(doubled, Y, wide, linear=range(6), axes=range(6)).check().valid
    one_sided = np.abs(X)
    with pytest.raises(NotCertified):  # lines of one sign on all rows bend nowhere
        network_certificate(one_sided, FORM(one_sided), FORM)
    with pytest.raises(NotCertified, match="there are no weights"):
        network_certificate(X, 0 * Y, planted.KinkForm(np.zeros((6, 0)), [], np.zeros(6)), linear=[], axes=[])
    blank = X.copy()
    blank[:, list(max(FORM.supports, key=len))] = 0.0
    with pytest.raises(NotCertified, match=r"all inputs of line \d.* are 0 on all rows"):
        network_certificate(blank, FORM(blank), FORM, linear=range(6), axes=range(6))


def test_a_blank_input_is_left_out():
    blank = X.copy()
    blank[:, 5] = 0.0
    form = planted.sparse_network(5, 3, 8, signs="mixed", rng=1).kink_form()
    form = planted.KinkForm(np.vstack([form.directions, 0 * form.strengths]), form.strengths, np.append(form.linear, 0))
    certificate = network_certificate(blank, form(blank), form)
    assert certificate.claim["linear"]["inputs"] == [0, 1, 2, 3, 4]
    with pytest.raises(NotCertified, match="weight of linear for input 5, which is always 0"):
        network_certificate(blank, form(blank), dataclasses.replace(form, linear=form.linear + 1.0))


def test_a_large_residual_is_refused():
    noise = 0.5 * np.random.default_rng(2).standard_normal(len(Y))
    with pytest.raises(NotCertified, match="another network as good as this one may be near"):
        network_certificate(X, Y + noise, FORM)
    small = network_certificate(X, Y + 1e-6 * noise, FORM)
    assert small.check().valid
    assert 1e-7 < small.error_bound < small.reach


def test_float32_labels_leave_the_error_that_they_cause():
    X, y, truth = problem(n=3000, d=10, m=4, s=12, signs="positive", labels="float32")
    certificate = network_certificate(X, y, truth.kink_form())
    report = certificate.check(data=(X, y))
    assert report.valid
    assert 1e-9 < certificate.error_bound < certificate.reach
    assert ("exactly one" in report.statement) == (
        2 * certificate.residual / certificate.sigma_min <= certificate.radius
    )


@pytest.mark.parametrize("power", [-40, 30])
def test_powers_of_two_change_no_digit(power):
    scaled = network_certificate(np.ldexp(X, power), Y, FORM_OF(power))
    for key in ("radius", "reach", "sigma_min", "residual", "error_bound"):
        assert getattr(scaled, key) == getattr(CERTIFICATE, key)
    assert set(scaled.claim["units"]) == {str(Fraction(2) ** power)}
    louder = network_certificate(
        X,
        np.ldexp(Y, power),
        dataclasses.replace(FORM, strengths=np.ldexp(FORM.strengths, power), linear=np.ldexp(FORM.linear, power)),
    )
    assert louder.radius == np.ldexp(CERTIFICATE.radius, power)
    assert louder.sigma_min == CERTIFICATE.sigma_min


def FORM_OF(power):
    return planted.KinkForm(FORM.directions, np.ldexp(FORM.strengths, -power), np.ldexp(FORM.linear, -power))


def test_inputs_of_different_units():
    factors = 2.0 ** np.array([-20, 3, 0, 11, -7, 30])
    lines = np.concatenate([np.eye(6), np.zeros((6, 0))], axis=1)
    assert lines.shape == (6, 6)
    directions = FORM.directions / factors[:, None]
    norms = np.linalg.norm(directions, axis=0)
    form = planted.KinkForm(directions / norms, FORM.strengths * norms, FORM.linear / factors)
    certificate = network_certificate(X * factors, form(X * factors), form, inside=0)
    assert certificate.check(data=(X * factors, form(X * factors))).valid
    assert certificate.sigma_min == pytest.approx(CERTIFICATE.sigma_min, rel=1e-3)
    assert certificate.reach == pytest.approx(CERTIFICATE.reach, rel=1e-3)


def test_numbers_that_float64_would_round_are_refused():
    rows = [[2**53 + 1, 0.5], [1, 2]]
    form = planted.KinkForm(np.zeros((2, 0)), [], [1.0, 1.0])
    with pytest.raises(ValueError, match="X holds 9007199254740993"):
        network_certificate(rows, [1.0, 2.0], form)
    with pytest.raises(ValueError, match="y holds 9007199254740993"):
        network_certificate([[1, 0], [1, 2]], [2**53 + 1, 2], form)
    assert network_certificate([[1, 0], [1, 2]], [1, 3], form, axes=[]).check().valid


def test_arguments_are_checked():
    for bad, error in (
        ({"network": 3}, "neither a kink form nor a network"),
        ({"network": planted.sparse_network(6, 3, 8, n_outputs=2, rng=0)}, "with one output"),
        ({"network": planted.sparse_network(5, 3, 8, rng=0)}, "network has 5 inputs, but X has 6 columns"),
        ({"network": TRUTH, "axes": [0]}, "only for a kink form"),
        ({"axes": [6]}, "expected numbers from 0 to 5"),
        ({"linear": []}, "which linear leaves out"),
        ({"inside": -1}, "inside"),
        ({"y": Y[:-1]}, "rows"),
    ):
        with pytest.raises(ValueError, match=error):
            network_certificate(**{"X": X, "y": Y, "network": FORM, **bad})


def test_a_certificate_on_a_device_is_that_of_the_host(backend):
    X, y, truth = problem(n=300)
    form = truth.kink_form()
    there = planted.KinkForm(*(backend.put(one) for one in (form.directions, form.strengths, form.linear)))
    assert network_certificate(backend.put(X), backend.put(y), there) == network_certificate(X, y, form)


# ---- files ------------------------------------------------------------------------------------------------------


def test_data_beside_the_certificate_are_found(tmp_path, capsys):
    path = tmp_path / "fit.json"
    HASHED.save(path, data=(X, Y))
    assert Certificate.load(path) == HASHED
    np.testing.assert_array_equal(np.load(tmp_path / "fit.npy"), np.column_stack([X, Y]))
    assert checker.check_file(path).valid
    assert Certificate.load(path).check(data=tmp_path / "fit.npy").valid
    assert Certificate.load(path).check(data=(X, Y)).valid
    assert main(["check", str(path)]) == 0
    assert "no gate changes on any row" in capsys.readouterr().out
    alone = [sys.executable, "-I", checker.__file__, str(path)]
    assert subprocess.run(alone, capture_output=True, text=True, check=True).stdout.startswith(f"{path}: verified")
    (tmp_path / "fit.npy").rename(tmp_path / "data.npy")
    assert main(["check", str(path)]) == 1
    assert "cannot be read (No such file" in capsys.readouterr().out
    assert main(["check", str(path), "--data", str(tmp_path / "data.npy")]) == 0
    assert subprocess.run([*alone, "--data", str(tmp_path / "data.npy")], check=False).returncode == 0
    assert "no data file was given" in HASHED.check().reason


def test_other_data_are_refused(tmp_path):
    path = tmp_path / "fit.json"
    HASHED.save(path, data=(X, Y))
    table = np.column_stack([X, Y])
    last = table.copy()
    last[-1, -1] = np.nextafter(last[-1, -1], np.inf)
    turned, wrong = table.copy(), table.copy()
    turned[[3, 4]] = turned[[4, 3]]
    wrong[5, 2] = np.nan
    for other, reason in (
        (last, "SHA-256 differs"),
        (turned, "SHA-256 differs"),
        (wrong, "SHA-256 differs"),
        (table[:-1], "contains no 400 x 7 float64 array"),
        (np.asfortranarray(table), "contains no 400 x 7 float64 array"),
        (table.astype("f4"), "contains no 400 x 7 float64 array"),
        (table.astype(">f8"), "contains no 400 x 7 float64 array"),
    ):
        np.save(tmp_path / "fit.npy", other)
        report = checker.check_file(path)
        assert not report.valid
        assert reason in report.reason
    np.save(tmp_path / "fit.npy", table)
    content = (tmp_path / "fit.npy").read_bytes()
    for other in (content[:-1], content + b"\0", b"", content[:40], b"\0" * 500):
        (tmp_path / "fit.npy").write_bytes(other)
        assert not checker.check_file(path).valid
    with pytest.raises(ValueError, match="refers to other data"):
        HASHED.save(path, data=(X, Y + 1))
    with pytest.raises(ValueError, match="contains its data"):
        CERTIFICATE.save(path, data=(X, Y))
    with pytest.raises(ValueError, match="expected another ending"):
        HASHED.save(tmp_path / "fit.npy", data=(X, Y))


def tampered(part, **values):
    content = json.loads(HASHED.to_json())
    content[part].update(values)
    return checker.check_text(json.dumps(content), data=module.data_bytes(X, Y))


def test_tampered_certificates_with_data_of_their_own_are_refused():
    assert tampered("claim").valid
    for part, values in (
        ("data", {"places": HASHED.data["places"] - 1}),
        ("data", {"places_y": HASHED.data["places_y"] - 1}),
        ("data", {"places": 2000}),
        ("data", {"places": -1}),
        ("data", {"rows": 399}),
        ("data", {"rows": 401}),
        ("data", {"rows": 0}),
        ("data", {"inputs": 5}),
        ("data", {"inputs": True}),
        ("data", {"rows": 800_000_000}),
        ("data", {"sha256": "0" * 64}),
        ("data", {"sha256": None}),
        ("proof", {"rows": [*HASHED.proof["rows"][1:], 400]}),
        ("proof", {"rows": []}),
        ("proof", {"rows": list(range(400))}),  # some of them within reach
        ("claim", {"sigma": "1000"}),
        ("claim", {"residual": "0"}),
        ("claim", {"lines": []}),
        ("claim", {"lines": HASHED.claim["lines"][1:]}),
        ("claim", {"units": ["1"] * 5}),
        ("claim", {"units": ["2"] * 6}),
    ):
        report = tampered(part, **values)
        assert not report.valid, (part, values)
        assert report.statement == ""
    finer = tampered("data", places=HASHED.data["places"] + 3, places_y=HASHED.data["places_y"] + 1)
    assert finer.valid  # another way to write the same numbers


def test_every_claim_of_a_line_is_checked():
    for k in range(len(HASHED.claim["lines"])):
        for change in (
            {"sign": -HASHED.claim["lines"][k]["sign"]},
            {"gate": "relu"},
            {"radius": str(Fraction(HASHED.claim["lines"][k]["radius"]) * Fraction(100002, 100000))},
            {"reach": str(Fraction(HASHED.claim["lines"][k]["reach"]) * 100)},
            {"weights": [str(2 * Fraction(one)) for one in HASHED.claim["lines"][k]["weights"]]},
        ):
            lines = [dict(line) for line in HASHED.claim["lines"]]
            lines[k].update(change)
            assert not tampered("claim", lines=lines).valid, (k, change)


def test_dependent_columns_pass_with_no_sigma():
    certificate = network_certificate(X, Y, FORM)
    axes = certificate.claim["axes"]
    twice = {"inputs": axes["inputs"], "weights": axes["weights"]}
    lines = [*certificate.claim["lines"]]
    on_axis = {"gate": "abs", "sign": 1, "inputs": [0], "weights": ["1"], "radius": "1/2", "reach": "1/2"}
    taken = {**twice, "weights": [str(Fraction(axes["weights"][0]) - 1), *axes["weights"][1:]]}
    for sigma in ("1/1000000", "1/1000000000"):
        claim = {**certificate.claim, "axes": taken, "lines": [*lines, on_axis], "sigma": sigma}
        report = dataclasses.replace(certificate, claim=claim).check()
        assert "sigma is not proved" in report.reason


@pytest.mark.parametrize("size", [1, 2, 5, 30])
def test_the_least_square_is_that_of_eigenvalues(size):
    rng = np.random.default_rng(size)
    A = rng.integers(-1000, 1001, (size + 3, size))
    columns = [[int(one) for one in column] for column in A.T]
    G = checker._gram(columns)
    np.testing.assert_array_equal(
        np.array([[row[j] for j in range(i + 1)][-1] for i, row in enumerate(G)]), (A**2).sum(0)
    )
    for i in range(size):
        assert G[i] == [int(A[:, i] @ A[:, j]) for j in range(i + 1)]
    least = np.linalg.eigvalsh((A.T @ A).astype(float))[0]
    assert checker._least_square(G, Fraction(0.98 * least))
    assert not checker._least_square(G, Fraction(1.001 * least))
    assert not checker._least_square(G, Fraction(2 * least))


def test_long_entries_are_packed_too():
    rng = np.random.default_rng(0)
    columns = [[int(one) << 100 for one in rng.integers(-(2**62), 2**62, 5)] for _ in range(3)]
    found = checker._gram(columns)
    for i in range(3):
        assert found[i] == [sum(a * b for a, b in zip(columns[i], columns[j], strict=True)) for j in range(i + 1)]


def test_pairs_of_floats_hold_twice_the_digits():
    rng = np.random.default_rng(0)
    weights, columns = rng.standard_normal(7), rng.standard_normal((7, 50)) * 2.0 ** rng.integers(-30, 30, (7, 50))
    high, low = module._products(weights, columns)
    for k in range(50):
        exact = sum(Fraction(a) * Fraction(b) for a, b in zip(weights.tolist(), columns[:, k].tolist(), strict=True))
        size = sum(abs(a * b) for a, b in zip(weights.tolist(), columns[:, k].tolist(), strict=True))
        assert abs(float(exact - Fraction(high[k]) - Fraction(low[k]))) <= 2.0**-100 * size


def test_the_work_is_estimated_before_it_begins(tmp_path):
    report = HASHED.check(data=(X, Y), seconds=1e-4)
    assert "would take too long" in report.reason
    text = HASHED.to_json()
    assert "would take too long" in checker.check_text(text.replace('"rows": 400', '"rows": 400000000')).reason


# ---- fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", ["float64", "float32"])
@pytest.mark.parametrize("signs", ["positive", "mixed"])
def test_exact_fits_are_certified(labels, signs, tmp_path):
    X, y, truth = problem(n=2000, d=10, m=3, s=9, seed=3, signs=signs, labels=labels)
    fit = fit_exact(X, y, n_neurons=3, sparsity=9, search_steps=3000, rng=0, certify=True)
    assert fit.success
    assert fit.certificate is not None, fit.message
    assert "certificate" not in fit.message
    found = network_distance(fit.certificate, truth)
    assert found.inside
    assert found.distance <= fit.certificate.error_bound
    fit.certificate.save(tmp_path / "fit.json", data=None if "X" in fit.certificate.data else (X, y))
    assert main(["check", str(tmp_path / "fit.json")]) == 0
    assert fit_exact(X, y, n_neurons=3, sparsity=9, search_steps=10, rng=0).certificate is None


@pytest.mark.parametrize("seed", range(12))
def test_dependent_columns_are_seen_whatever_their_gram_matrix_rounds_to(seed):
    """Some of these pass Cholesky's elimination of the Gram matrix."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((500, 6))
    weights = np.zeros((2, 6))
    weights[0, :3] = rng.standard_normal(3)
    weights[1, 3:] = rng.standard_normal(3)
    model = Lines(np.zeros(6), np.zeros(6), weights, np.array([1.0, -1.0]), weights != 0)
    near = X[:, :3] @ rng.standard_normal(3)
    for distance, low, high in ((0.0, 0.0, 1e-13), (1e-12, 1e-14, 1e-9), (1e-6, 1e-8, 1e-5), (1.0, 1e-4, 1e-4)):
        X[:, 5] = near + distance * rng.standard_normal(500)
        inputs = Inputs(np.ascontiguousarray(X.T), np.arange(6), np.arange(5))
        F = np.concatenate([part for _, _, part in columns(inputs, model)], axis=1).T
        found = fitting._least_singular(inputs, model)
        assert low <= found <= high
        if distance == 1e-6:
            expected = np.linalg.svd(F / np.linalg.norm(F, axis=0), compute_uv=False)[-1]
            assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("signs", [(1.0, -1.0), (1.0, 1.0)])
def test_lines_that_cancel_are_seen_as_dependent(signs):
    weights = np.zeros((2, 6))
    weights[0, :3] = [1.0, 2.0, -1.0]
    weights[1, :3] = 0.3 * weights[0, :3]
    inputs = Inputs(np.ascontiguousarray(X.T), np.arange(6), np.arange(6))
    twice = Lines(np.zeros(6), np.zeros(6), weights, np.array(signs), weights != 0)
    assert fitting._least_singular(inputs, twice) < 1e-13
    assert fitting._least_singular(inputs, twice.select(np.array([0]))) == 1e-4


def test_fits_without_a_proof_say_why(monkeypatch):
    X, y, _ = problem(n=2000, d=10, m=3, s=9, seed=3)
    options = {"n_neurons": 3, "sparsity": 9, "rng": 0}
    ended = fit_exact(X, y, **options, time_limit=0, certify=True)
    assert ended.certificate is None
    assert ended.message.endswith("no certificate, since the fit is not exact")
    several = fit_exact(X, np.column_stack([y, y]), **options, time_limit=0, certify=True)
    assert several.certificate is None
    assert several.message.endswith("no certificate: y of shape (2000, 2) has several outputs")

    def refuse(*args, **kwargs):
        raise NotCertified("row(s) 4 lie on the hyperplane of line 0 (inputs 1, 2), where its gate is not determined")

    monkeypatch.setattr(fitting, "network_certificate", refuse)
    fit = fit_exact(X, y, **options, certify=True)
    assert fit.success
    assert fit.certificate is None
    assert fit.message.endswith(
        "no certificate: row(s) 4 lie on the hyperplane of line 0 (inputs 1, 2), where its gate is not determined"
    )
    with pytest.raises(TypeError, match="certify=1"):
        fit_exact(X, y, **options, certify=1)

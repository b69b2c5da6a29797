"""In a notebook: progress changes no result, column names of frames are kept, plots and tables are complete."""

import inspect

import numpy as np
import pytest

import linear_lottery
import planted
import recovery
from planted.base.values import same
from recovery import guarantees, networks, pruning

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8))
W = np.array([3.0, 0.0, -2.0, 0.0, 0.0, 1.0, 0.0, 0.0])
Y = X @ W + 0.1 * RNG.standard_normal(60)
NET = planted.sparse_network(8, 3, 7, signs="mixed", rng=1)
NAMES = tuple("abcdefgh")
START = pruning.Model.draw((8, 4, 1), scalar=True, rng=0)
METHODS = pruning.catalogue(pruning.Training(n_iter=6, batch_size=20))
FIT = {"n_neurons": 3, "sparsity": 7, "rng": 2, "max_iter": 5}
THEOREMS = guarantees.catalogue("linear")[:3]


def frame():
    return pytest.importorskip("pandas").DataFrame(X, columns=list(NAMES))


def pruned(method, **options):
    return pruning.prune(START, (X, Y), METHODS[method], sparsity=9, rng=1, **options)


def ticket(**options):
    training = pruning.Training(n_iter=3)
    return pruning.find_ticket(START, (X, Y), sparsity=9, training=training, rng=0, **options)


def floor(method, **options):
    classes = np.eye(2)[(Y > 0).astype(int)]
    start = pruning.Model.draw((8, 4, 2), loss="cross_entropy", rng=0)
    return pruning.prune_to_floor(start, (X, classes), METHODS[method], floor=0.1, step=0.2, rng=1, **options)


RUNS = {
    "solve": lambda **more: recovery.solve(X, Y, 3, **more),
    "solve, omp": lambda **more: recovery.solve(X, Y, 3, "omp", **more),
    "solve, nothing": lambda **more: recovery.solve(X, Y, 0, **more),
    "fit_network": lambda **more: recovery.fit_network(X, NET(X), **FIT, **more),
    "fit_network, robust": lambda **more: recovery.fit_network(X, NET(X), method="robust", **FIT, **more),
    "fit_network, paper": lambda **more: recovery.fit_network(X, NET(X), method="paper", **FIT, **more),
    "fit_exact": lambda **more: networks.fit_exact(
        X, NET(X), n_neurons=3, sparsity=7, search_steps=20, restarts=0, max_rounds=2, rng=0, **more
    ),
    "fit_many": lambda **more: recovery.fit_many(
        X, [NET(X), 2 * NET(X)], n_neurons=3, sparsity=7, rngs=[0, 1], max_iter=3, **more
    ),
    "fit_many, together": lambda **more: recovery.fit_many(
        X, [NET(X), 2 * NET(X)], n_neurons=3, sparsity=7, method="paper", together=True, max_iter=3, rngs=[0, 1], **more
    ),
    "imp": lambda **more: recovery.imp(X, NET(X), n_neurons=3, sparsity=[5, 9], rng=0, max_iter=5, **more),
    "imp, paper": lambda **more: recovery.imp(X, NET(X), n_neurons=3, sparsity=5, rng=0, recipe="paper", **more),
    "imp_many": lambda **more: recovery.imp_many(
        np.stack([X, X]), [NET(X)] * 2, n_neurons=3, sparsity=9, rngs=[0, 1], max_iter=5, **more
    ),
    "imp_many, shared": lambda **more: recovery.imp_many(
        X, [NET(X)] * 2, n_neurons=3, sparsity=9, rngs=[0, 1], max_iter=5, **more
    ),
    **{
        f"prune, {name}": lambda name=name, **more: pruned(name, **more) for name in ("imp", "magnitude", "obs", "rigl")
    },
    "prune, snip": lambda **more: pruned("snip", **more),
    "prune, neq": lambda **more: pruned("neq", **more),
    "find_ticket": lambda **more: ticket(**more),
    "transfer": lambda **more: ticket().transfer((X, Y), training=pruning.Training(n_iter=4), rng=0, **more),
    "transfer, frozen": lambda **more: ticket().transfer(
        (X, Y), training=pruning.Training(n_iter=4), features="frozen", rng=0, **more
    ),
    **{f"prune_to_floor, {name}": lambda name=name, **more: floor(name, **more) for name in ("magnitude", "snip")},
    "linear imp": lambda **more: linear_lottery.imp(X, Y, 3, **more),
    "linear imp, flow": lambda **more: linear_lottery.imp(X, Y, 3, flow_time=1.0, schedule=0.4, **more),
    "threshold_prune": lambda **more: linear_lottery.threshold_prune(X, Y, 0.5, **more),
    "ledger": lambda **more: guarantees.ledger(
        THEOREMS, [recovery.Instance.planted(X, W)] * 2, evaluations=4, **more
    ).records(),
    "ledger, function": lambda **more: guarantees.ledger(
        THEOREMS, lambda one: [recovery.Instance.planted(X, W)], **more
    ).records(),
    "attack": lambda **more: guarantees.attack(THEOREMS[0], evaluations=20, rng=0, **more),
    "diagnose": lambda **more: recovery.diagnose(X[:12, :6], sparsity=2, limit=500, programs=10, **more),
}
KNOWN = {
    *("fit_network, robust", "fit_network, paper", "fit_many", "fit_many, together", "imp", "imp, paper", "imp_many"),
    *("imp_many, shared", "linear imp", "linear imp, flow", "ledger", "attack", "find_ticket", "transfer"),
    *("transfer, frozen", *(name for name in RUNS if name.startswith("prune,"))),
}
"""Runs whose number of steps is known at the start."""
EXACT = KNOWN - {"fit_network, robust", "attack"}
"""Those that make as many as that."""


@pytest.mark.parametrize("name", RUNS)
def test_progress_changes_no_result_and_ends_at_the_end(name):
    calls = []
    found = RUNS[name](progress=lambda *call: calls.append(call))
    assert same(found, RUNS[name]())
    done = [call[0] for call in calls]
    assert done == sorted(done)
    if name == "solve, nothing":
        assert calls == []
        return
    assert calls[-1][0] == calls[-1][1] > 0
    assert done[:-1] == sorted(set(done[:-1]))
    assert (calls[0][1] is not None) == (name in KNOWN | {"diagnose"})
    if name in EXACT:
        assert {total for _, total in calls} == {calls[-1][1]}


@pytest.mark.parametrize("name", RUNS)
def test_progress_is_checked_before_the_work(name):
    with pytest.raises(TypeError, match=r"progress='yes' is of type str; expected True, False, or a function"):
        RUNS[name](progress="yes")


@pytest.mark.parametrize(
    "name", ["solve", "fit_network", "imp", "prune, imp", "linear imp", "ledger", "attack", "diagnose"]
)
def test_a_bar_is_drawn_where_it_is_asked_for_and_nothing_else_is_printed(name, capsys):
    pytest.importorskip("tqdm")
    RUNS[name]()
    assert capsys.readouterr() == ("", "")
    RUNS[name](progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "100%" in err


def test_a_callback_and_progress_see_the_same_steps():
    states, calls = [], []
    recovery.solve(X, Y, 3, "iht", callback=states.append, progress=lambda *call: calls.append(call), max_iter=7)
    assert [call[0] for call in calls] == [state.n_iter for state in states] + (
        [] if len(states) == 7 else [len(states)]
    )
    stopped = recovery.solve(X, Y, 3, "iht", callback=lambda state: state.n_iter == 2, progress=lambda *call: True)
    assert stopped.status is recovery.Status.STOPPED
    assert stopped.n_iter == 2
    fit = recovery.fit_network(X, NET(X), method="paper", callback=lambda state: True, progress=lambda *_: 0, **FIT)
    assert fit.status is recovery.Status.STOPPED


def test_what_takes_long_has_progress():
    for function in (
        *(recovery.solve, recovery.fit_network, recovery.fit_many, recovery.imp, recovery.diagnose, networks.fit_exact),
        *(pruning.prune, pruning.prune_to_floor, pruning.find_ticket, pruning.Ticket.transfer),
        *(guarantees.ledger, guarantees.attack, linear_lottery.imp, linear_lottery.threshold_prune),
    ):
        assert inspect.signature(function).parameters["progress"].default is False


def test_names_of_a_frame_come_out_of_solve():
    table = frame()
    found = recovery.solve(table, table["a"] * 2 - table["f"], 2)
    assert found.names == NAMES
    assert found.support_names == ("a", "f")
    assert found.to_pandas().to_dict("list") == {"feature": ["a", "f"], "coefficient": pytest.approx([2.0, -1.0])}
    assert "<td>f</td>" in found._repr_html_()
    plain = recovery.solve(X, X @ W, 3)
    assert plain.names is plain.support_names is None
    assert plain.to_pandas()["feature"].tolist() == [0, 2, 5]
    assert recovery.solve(table, table["a"], 0).names == NAMES
    history = plain.to_pandas("history")
    assert history.index.tolist() == list(range(1, plain.n_iter + 1))
    assert history["objective"].tolist() == plain.history["objective"]
    with pytest.raises(ValueError, match="table='weights'"):
        plain.to_pandas("weights")


@pytest.mark.parametrize(
    "fit",
    [
        lambda X, y: recovery.fit_network(X, y, **FIT),
        lambda X, y: recovery.fit_network(X, y, **FIT | {"sparsity": 0}),
        lambda X, y: recovery.imp(X, y, n_neurons=3, sparsity=[7], rng=0, max_iter=5)[0],
        lambda X, y: recovery.imp_many(X, [y], n_neurons=3, sparsity=[[7]], max_iter=5)[0][0],
        lambda X, y: recovery.fit_many(X, [y], n_neurons=3, sparsity=7, max_iter=3)[0],
    ],
)
def test_names_of_a_frame_come_out_of_fits(fit):
    table = frame()
    found = fit(table, NET(X))
    assert found.names == NAMES
    used = np.flatnonzero(found.network.hidden.any(axis=1))
    assert found.support_names == tuple(NAMES[j] for j in used)
    rows = found.to_pandas()
    first = rows[rows["layer"] == 0]
    assert len(first) == found.network.sparsity
    for _, row in first.iterrows():
        assert found.network.hidden[NAMES.index(row["source"]), row["target"]] == row["weight"]
    assert fit(X, NET(X)).names is None


def test_names_of_a_frame_come_out_of_pruning():
    path = linear_lottery.imp(frame(), Y, 3)
    assert path.support_names == ("a", "c", "f")
    assert set(path.order_names) == set(NAMES) - {"a", "c", "f"}
    assert path.order_names[0] == NAMES[path.order[0]]
    rows = path.to_pandas()
    assert rows.columns.tolist() == list(NAMES)
    assert rows.index.tolist() == list(path.sizes)
    assert rows.loc[3, "a"] == path.w[0]
    assert linear_lottery.threshold_prune(frame(), Y, 0.5).support_names == ("a", "c", "f")
    assert linear_lottery.imp(X, Y, 3).names is None
    assert linear_lottery.imp(frame(), Y, 3).support.tolist() == linear_lottery.imp(X, Y, 3).support.tolist()


def test_tables_of_pruning_and_diagnoses():
    pytest.importorskip("pandas")
    found = pruned("imp")
    rows = found.to_pandas()
    assert rows["weights"].tolist() == [one.masks.count for one in found.path]
    assert rows["weights"].iloc[-1] == found.sparsity
    diagnosis = recovery.diagnose(X, Y, sparsity=2, limit=500, programs=10)
    uniform = diagnosis.to_pandas()
    assert uniform["largest s"].max() >= diagnosis.covers
    assert uniform["status"].tolist() == [one.verdict.status for one in diagnosis.uniform]
    assert len(diagnosis.to_pandas("effects")) == len(diagnosis.effects)
    assert diagnosis.to_pandas("numbers").to_numpy().tolist() == [list(one) for one in diagnosis.numbers]
    assert len(diagnosis.to_pandas("planted")) == len(diagnosis.planted)
    with pytest.raises(ValueError, match="table='all'"):
        diagnosis.to_pandas("all")


@pytest.fixture
def ax():
    return pytest.importorskip("matplotlib.figure").Figure().add_subplot()


def texts(ax):
    return [one.get_text() for one in ax.get_xticklabels()]


def test_stems_stand_where_the_support_is(ax):
    table = frame()
    found = recovery.solve(table, X @ W, 3)
    found.plot(ax, truth=W)
    planted_there = next(line for line in ax.lines if line.get_label() == "planted")
    assert planted_there.get_xdata().tolist() == [0, 2, 5]
    assert planted_there.get_ydata().tolist() == [3.0, -2.0, 1.0]
    assert texts(ax) == ["a", "c", "f"]
    with pytest.raises(ValueError, match="truth has shape"):
        found.plot(ax, truth=W[:3])
    with pytest.raises(ValueError, match="show='y'"):
        found.plot(ax, show="y")


@pytest.mark.parametrize(("n_inputs", "named"), [(10, 10), (30, 3), (200, 3)])
def test_names_of_inputs_do_not_pile_up(ax, n_inputs, named):
    hidden = np.zeros((n_inputs, 1))
    hidden[[1, 4, 8]] = 1.0
    planted.ReLUNetwork([hidden, np.ones(1)]).plot(ax, names=[f"x{j}" for j in range(n_inputs)])
    found = [one.get_text() for one in ax.get_yticklabels()]
    assert len(found) == named
    assert {"x1", "x4", "x8"} <= set(found)
    assert found == [f"x{place:g}" for place in ax.get_yticks()]


def test_neurons_are_counted_in_whole_numbers_even_if_there_is_one(ax):
    planted.ReLUNetwork([np.ones((3, 1)), np.ones((1, 2))]).plot(ax)
    low, high = ax.get_xlim()
    shown = [place for place in ax.get_xticks() if low <= place <= high]
    assert shown == [0]


def test_an_empty_answer_can_be_drawn(ax):
    recovery.solve(X, Y, 0).plot(ax)
    recovery.solve(X, Y, 0).plot(ax, show="history")
    fit = recovery.fit_network(X, NET(X), **FIT | {"sparsity": 0})
    fit.plot(ax)
    fit.plot(ax, show="weights")
    assert "NetworkFit" in fit._repr_html_()
    linear_lottery.imp(X, Y, 0).plot(ax)
    linear_lottery.imp(X, Y, 8).plot(ax)
    ax.figure.canvas.draw()


def test_a_history_is_drawn_without_what_has_no_logarithm(ax):
    found = recovery.solve(X, X @ W, 3, "iht")
    found.plot(ax, show="history")
    (line,) = ax.lines
    assert ax.get_yscale() == "log"
    assert line.get_ydata().tolist() == [value for value in found.history["objective"] if value > 0]


def test_weights_are_drawn_as_they_are(ax):
    fit = recovery.fit_network(frame(), NET(X), **FIT)
    fit.plot(ax, show="weights")
    (image,) = ax.images
    assert np.array_equal(image.get_array(), fit.network.hidden)
    assert [one.get_text() for one in ax.get_yticklabels()] == list(NAMES)
    assert fit.plot(ax) is ax


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_output_weights_stand_below_the_neurons_of_one_output(ax, shape):
    planted.ReLUNetwork([np.eye(4, 3), np.array([1.0, -1.0, 0.5]).reshape(shape)]).plot(ax)
    assert texts(ax) == ["0\n(+1)", "1\n(-1)", "2\n(+0.5)"]


def test_a_new_figure_is_made_where_no_axes_are_given():
    plt = pytest.importorskip("matplotlib.pyplot")
    before = plt.get_fignums()
    drawn = recovery.solve(X, Y, 3).plot()
    assert drawn.figure.number not in before
    plt.close(drawn.figure)
    assert plt.get_fignums() == before


def test_survivors_are_labelled(ax):
    linear_lottery.imp(frame(), Y, 3).plot(ax)
    assert [one.get_text() for one in ax.get_legend().get_texts()] == ["a", "c", "f"]
    assert len(ax.lines) == 8
    assert ax.xaxis_inverted()


def test_html_is_escaped():
    table = frame().rename(columns={"a": "<a>"})
    for one in (
        recovery.solve(table, Y, 2),
        linear_lottery.imp(table, Y, 2),
        recovery.fit_network(table, NET(X), **FIT),
    ):
        assert "&lt;a&gt;" in one._repr_html_()
        assert "<a>" not in one._repr_html_()
    verdict = guarantees.Verdict("fails", -0.5, "1 < 2 & 3 > 2")
    assert "1 &lt; 2 &amp; 3 &gt; 2" in verdict._repr_html_()


@pytest.mark.parametrize("ending", ["npz", "json"])
@pytest.mark.parametrize("fitted", [False, True])
def test_estimators_come_back_from_files(tmp_path, fitted, ending):
    pytest.importorskip("sklearn")
    table, labels = frame(), np.where(Y > 0, "high", "low")
    for one, target in (
        (recovery.SparseRegressor(sparsity=3), Y),
        (recovery.SparseRegressorCV(cv=3), Y),
        (recovery.SparseReLURegressor(n_neurons=2, sparsity=6, random_state=0, max_iter=5, restarts=0), Y),
        (recovery.SparseReLUClassifier(n_neurons=2, sparsity=6, random_state=0, max_iter=5, restarts=0), labels),
        (linear_lottery.IMPRegressor(), Y),
    ):
        if fitted:
            one.fit(table, target)
        one.save(tmp_path / f"one.{ending}")
        other = type(one).load(tmp_path / f"one.{ending}")
        assert same(vars(other), vars(one))
        assert other.get_params() == one.get_params()
        if fitted:
            assert same(other.predict(table), one.predict(table))
            assert other.feature_names_in_.tolist() == list(NAMES)


def test_an_estimator_with_a_foreign_part_says_which(tmp_path):
    splits = pytest.importorskip("sklearn.model_selection").KFold(3)
    with pytest.raises(TypeError, match=r"KFold\(.*\) is of type KFold, which cannot be saved"):
        recovery.SparseRegressorCV(cv=splits).save(tmp_path / "one.npz")


def test_a_certificate_is_saved_with_its_fit(tmp_path):
    inputs = planted.gaussian_inputs(300, 8, rng=0)
    fit = recovery.fit_network(inputs, NET(inputs), n_neurons=3, sparsity=7, rng=2, certify=True)
    assert fit.certificate is not None
    fit.save(tmp_path / "fit.json")
    found = recovery.NetworkFit.load(tmp_path / "fit.json")
    assert found == fit
    assert found.certificate.to_json() == fit.certificate.to_json()


def test_a_diagnosis_speaks_of_columns_by_name(tmp_path):
    pandas = pytest.importorskip("pandas")
    few = {"limit": 500, "programs": 10}
    values = np.column_stack([X[:12, 0], np.zeros(12), X[:12, 1], -2 * X[:12, 0], X[:12, 2], X[:12, 3]])
    table = pandas.DataFrame(values, columns=["one", "blank", "two", "twin", "three", "four"])
    found = recovery.diagnose(table, table["two"] - table["four"], sparsity=2, **few)
    text = str(found)
    assert found.names == tuple(table.columns)
    assert "1 of 6 columns are 0 (blank): no data" in text
    assert "| columns parallel to an earlier column | 1 (twin) |" in text
    assert "with 2 non-zeros (two, four) that explains y" in text
    assert any(effect.name in ("drop column one", "drop column twin") for effect in found.effects)
    found.save(tmp_path / "found.json")
    assert recovery.Diagnosis.load(tmp_path / "found.json") == found
    plain = recovery.diagnose(values, values[:, 2] - values[:, 5], sparsity=2, **few)
    assert plain.names is None
    assert "1 of 6 columns are 0: no data" in str(plain)
    # the number is that of the caller's column, beside columns that are 0
    assert any(effect.name in ("drop column 0", "drop column 3") for effect in plain.effects)
    assert [effect.coherence for effect in plain.effects] == [effect.coherence for effect in found.effects]

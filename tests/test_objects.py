"""All public objects can be pickled, copied, compared and used afterwards; a class without an example fails."""

import copy
import dataclasses
import functools
import importlib
import inspect
import io
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import joblib
import numpy as np
import pytest

import linear_lottery
import planted
import recovery
from linear_lottery import comparators
from planted.base import arrays
from planted.base.files import Stored
from planted.base.values import same
from recovery import certificates, conditions, guarantees, networks, pruning
from recovery.guarantees import pruning as pruning_guarantees
from recovery.operators.dense import ScaledOperator
from recovery.operators.generators import SeededGenerators, StoredGenerators
from recovery.solvers.solve import solver_class

PACKAGES = (planted, recovery, linear_lottery)
SUBPACKAGES = ("recovery.networks", "recovery.certificates", "recovery.conditions", "recovery.guarantees")


def public_classes():
    """Classes in `__all__` of the packages and of the modules of theirs that are listed there."""
    found, seen = {}, set()

    def walk(module):
        if module.__name__ in seen:
            return
        seen.add(module.__name__)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                found[value] = f"{module.__name__}.{name}"
            elif inspect.ismodule(value) and value.__name__.partition(".")[0] in {p.__name__ for p in PACKAGES}:
                walk(value)

    for package in (*PACKAGES, *map(importlib.import_module, SUBPACKAGES)):
        walk(package)
    return found


RNG = np.random.default_rng(0)
X = RNG.standard_normal((24, 6))
Y = X @ np.array([3.0, 0.0, -2.0, 0.0, 0.0, 1.0])
SMALL = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.5]])


def network(put=np.asarray):
    net = planted.sparse_network(6, 3, 7, signs="mixed", rng=1)
    return planted.ReLUNetwork([put(layer) for layer in net.layers])


def gated(put=np.asarray):
    return recovery.GatedOperator.from_generators(put(X), put(np.random.default_rng(2).standard_normal((6, 3))))


def instance(put=np.asarray):
    x = np.array([3.0, 0.0, -2.0, 0.0, 0.0, 0.0])
    return recovery.Instance.planted(put(X), put(x), put(0.01 * np.ones(24)), x0=put(x), options={"flow_time": 2.0})


def fit(put=np.asarray, method="auto"):
    return recovery.fit_network(put(X), put(network()(X)), n_neurons=2, sparsity=4, method=method, max_iter=3, rng=0)


def exact_fit(put=np.asarray):
    return networks.fit_exact(
        put(X), put(network()(X)), n_neurons=2, sparsity=4, search_steps=20, restarts=0, max_rounds=2, rng=0
    )


def ticket():
    start = recovery.pruning.Model.draw((6, 3, 1), scalar=True, rng=0)
    return recovery.pruning.find_ticket(start, (X, Y), sparsity=9, training=recovery.pruning.Training(n_iter=2), rng=0)


def hypotheses(one, limit=1.0):
    return guarantees.Verdict.of(one.sparsity < limit, "a bound")


def outcome(one):
    return guarantees.Verdict.of(True, "always")


def own_guarantee():
    return guarantees.Guarantee(
        "own", "implication", "A statement.", "here", "none", functools.partial(hypotheses, limit=3.0), outcome
    )


class Plain(recovery.Operator):
    """An operator of a user, which keeps its module."""

    def __init__(self, A):
        self.A, self.xp, self.shape, self.dtype = A, arrays.namespace(A), A.shape, np.dtype(A.dtype)

    def matvec(self, x):
        """Return A x."""
        return self.A @ x

    def __eq__(self, other):
        return isinstance(other, Plain) and same(self.A, other.A)

    __hash__ = None


@dataclasses.dataclass(frozen=True)
class FitMethod(networks.FitMethod):
    """A method of a user, with an option."""

    scale: float = 1.0

    def fit(self, data, settings, record, rng):
        """Return no network."""
        raise NotImplementedError


SHORT = pruning.Method("short", "magnitude", training=pruning.Training(n_iter=3))


def pruning_state(put):
    """What a callback of prune sees."""
    seen = []
    pruning.prune(put(X[0]), (put(X), put(Y)), SHORT.replace(source="start"), sparsity=3, callback=seen.append)
    return seen[0]


# examples that exist on every device take `put`; the others live on the CPU
ON_DEVICE = {
    "DenseOperator": lambda put: recovery.DenseOperator(put(X)),
    "DenseOperator[F]": lambda put: recovery.DenseOperator(put(np.asfortranarray(X))),
    "ScaledOperator": lambda put: ScaledOperator(recovery.DenseOperator(put(X)), put(np.arange(1.0, 7.0))),
    "GatedOperator": gated,
    "GatedOperator[seed]": lambda put: recovery.GatedOperator.from_seed(put(X), 3, 7),
    "GatedOperator[recomputed]": lambda put: recovery.GatedOperator.from_generators(put(X), put(X[:6].T), store=False),
    "StoredGenerators": lambda put: StoredGenerators(put(X)),
    "SeededGenerators": lambda put: SeededGenerators(6, 3, 7, like=put(X)),
    "ReLUNetwork": network,
    "ReLUNetwork[deep]": lambda put: planted.ReLUNetwork([put(X), put(X.T), put(X)]),
    "KinkForm": lambda put: network(put).kink_form(),
    "RecoveryResult": lambda put: recovery.solve(put(X), put(Y), 3, "htp"),
    "Instance": instance,
    "Instance[gated]": lambda put: recovery.Instance(gated(put), put(Y), 2),
    "NetworkFit": fit,
    "NetworkFit[robust]": lambda put: fit(put, method="robust"),
    "ExactFit": exact_fit,
    "Masks": lambda put: networks.Masks([put(X > 0), put(X.T > 0)]),
    "PruningPath": lambda put: linear_lottery.imp(put(X), put(Y), 3),
    "PruningPath[w0]": lambda put: linear_lottery.threshold_prune(put(X), put(Y), 0.1, w0=put(np.ones(6))),
    "Model": lambda put: pruning.Model([put(X[:6]), put(X[6:12, :2])], [put(X[0]), put(X[1, :2])]),
    "Model[linear]": lambda put: pruning.Model([put(X[0])]),
    "Data": lambda put: pruning.Data(put(X), put(Y), put(X[:4]), put(Y[:4])),
    "PruningResult": lambda put: pruning.prune(put(X[0]), (put(X), put(Y)), SHORT, sparsity=3),
    "PruningRound": lambda put: pruning.prune(put(X[0]), (put(X), put(Y)), SHORT, sparsity=3).path[0],
    "PruningState": lambda put: pruning_state(put),
    "FloorResult": lambda put: pruning.prune_to_floor(
        pruning.Model([put(X[:6, :2])]), (put(X), put(np.eye(2)[(Y > 0).astype(int)])), [put(X[:6, 1:3])], floor=0.0
    ),
    "Selection": lambda put: comparators.holp(put(X[:5]), put(Y[:5]), 3),
}
ON_CPU = {
    "Accumulated": lambda: pruning.Accumulated(absolute=True),
    "Bingo": lambda: pruning.Bingo("corrected", subset=3),
    "Compensation": lambda: pruning.Compensation(pruning.Obs(damping=1e-4)),
    "Cost": lambda: pruning.Cost(1, 2, 3, 4.0),
    "EdgePopup": lambda: pruning.EdgePopup(pruning.Training(n_iter=3), scope="global"),
    "Exponential": lambda: pruning.Exponential(7),
    "Flow": lambda: linear_lottery.Flow(2.0, n_points=3),
    "Gradual": lambda: pruning.Gradual(period=7, end=0.5),
    "Grasp": lambda: pruning.Grasp(rows=5),
    "Method": lambda: pruning.catalogue()["obs"],
    "Obs": lambda: pruning.Obs("inputs"),
    "OneShot": pruning.OneShot,
    "RigL": lambda: pruning.RigL(period=7, share=0.1),
    "Rounds": lambda: pruning.Rounds(0.3, lands=False),
    "SET": lambda: pruning.SET(stop=0.5),
    "Snip": lambda: pruning.Snip(rows=5),
    "Space": pruning.describe,
    "Taylor": lambda: pruning.Taylor(rows=5),
    "Thresholding": lambda: pruning.Thresholding(scope="layer", period=2),
    "Training": lambda: pruning.Training(n_iter=3, batch_size=5, schedule="cosine"),
    "INRImage": lambda: (
        planted.inr_image("checkerboard", size=8)
        if "checkerboard" in planted.INR_SOURCES
        else planted.INRImage("dots", np.eye(4))
    ),
    "NetworkDistance": lambda: certificates.NetworkDistance(True, True, 0.5),
    "ExactMethod": lambda: networks.ExactMethod(search_steps=100),
    "NetworkMatch": lambda: planted.match_networks(network(), network()),
    "SupportMatch": lambda: planted.match_supports([1, 2], [2]),
    "Dataset": lambda: planted.datasets.Dataset(
        "own", X, np.arange(24), X[:2], np.arange(2), (2, 3), tuple(map(str, range(24))), 1.0
    ),
    "Design": lambda: planted.designs.toeplitz(0.5),
    "Diagnosis": lambda: recovery.diagnose(X, Y, sparsity=2),
    "FitMethod": lambda: FitMethod(2.0),
    "FitSettings": lambda: networks.FitSettings((3, 4), 5, "cross_entropy", tol=0.5),
    "FitState": lambda: recovery.FitState(1, 0, float("nan"), 2.0, 3, 4),
    **{cls.__name__: cls for cls in map(solver_class, recovery.list_solvers())},
    "Recipe": lambda: dataclasses.replace(recovery.pruning.FAIR, name="own", max_iter=7),
    "LinearModel": lambda: planted.linear_model(8, 4, 2, rng=0),
    "FrozenFeatures": lambda: recovery.pruning.FrozenFeatures(recovery.pruning.Training(n_iter=3), 2),
    "Ticket": ticket,
    "TransferResult": lambda: ticket().transfer((X, Y), training=recovery.pruning.Training(n_iter=2)),
    "TaskPair": lambda: planted.task_pair(8, 2, 0.5, n_source=4, n_target=3, n_neurons=2, rng=0),
    "GatedModel": lambda: planted.gated_model(8, 2, 2, 1, rng=0),
    "ReleaseInstance": lambda: planted.release_instance(2, 3, 0, n=6, d=4),
    "Condition": lambda: recovery.diagnosis.Condition(("own",), "any", "rank A > s", np.linalg.matrix_rank),
    "Finding": lambda: recovery.diagnose(X, Y, sparsity=2).uniform[0],
    "Identifiability": lambda: recovery.diagnosis.identifiability(X, planted.sparse_network(6, 2, 4, rng=0)),
    "Effect": lambda: recovery.diagnosis.Effect("center", "", True, (1, 2), 0.5, 2.0, float("nan")),
    "NoiseLaw": lambda: recovery.NoiseLaw("gaussian", 0.5),
    "Operator": recovery.Operator,
    "Operator[own]": lambda: Plain(X),
    "Status": lambda: recovery.Status.CONVERGED,
    "Certificate": lambda: certificates.enumeration_bound(SMALL, 1, "largest"),
    "DualVector": lambda: conditions.dual_certificate(SMALL, [0], [1.0]),
    "GatePair": lambda: conditions.GatePair(0, 1, 2, 3),
    "GateSpread": lambda: conditions.GateSpread(0.5, 0.25),
    "Interval": lambda: conditions.Interval(0.5, 1.0, True, False, np.array([1, 2])),
    "Interval[open]": lambda: conditions.Interval(-float("inf"), float("inf")),
    "NeuralIsometry": lambda: conditions.NeuralIsometry(0.5, None, np.ones(3), None, (0,), 1e-9, "why"),
    "Patterns": lambda: conditions.enumerate_patterns(X[:4, :2], 1),
    "PrimalDualWitness": lambda: conditions.primal_dual_witness(X, Y, 0.1, [0, 2, 5], [1.0, -1.0, 1.0]),
    "RankReport": lambda: conditions.gated_rank(gated()),
    "ReducedGates": lambda: conditions.one_per_pair(np.array([[1, 0], [0, 1], [1, 0]])),
    "RestrictedEigenvalues": lambda: conditions.restricted_eigenvalues(SMALL, 1),
    "Theorem1Report": lambda: conditions.theorem1_report(gated(), 1),
    "AttackResult": lambda: guarantees.attack(guarantees.catalogue("linear")[0], evaluations=5, rng=0),
    "AttackResult[broken]": lambda: guarantees.AttackResult("own", "broken", 1, 1, 1, 0, -0.5, "", None, instance()),
    "Guarantee": lambda: guarantees.catalogue()[0],
    "Guarantee[own]": own_guarantee,
    "Judgement": lambda: own_guarantee().judge(instance()),
    "Ledger": lambda: guarantees.ledger([own_guarantee()], [instance()]),
    "Tally": lambda: guarantees.ledger([own_guarantee()], [instance()]).tallies[0],
    "Bounded": lambda: guarantees.Bounded(np.array([1.0, 2.0]), 0.5),
    "Verdict": lambda: guarantees.Verdict.unknown("nothing is known"),
    "SparseProblem": lambda: recovery.testing.SparseProblem(X, Y, np.zeros(6), 3, 0),
    "SparsePath": lambda: recovery.SparsePath(
        np.arange(2), np.eye(6)[:, :2], np.zeros(2), np.ones(2), np.full(2, np.nan), 1, ("htp", "lasso"), (0.0, 0.5)
    ),
    "LassoPath": lambda: comparators.lasso_path(X, Y),
    "ConeFit": lambda: networks.cone_program(X, gated().gates(), network()(X)),
    "GroupFit": lambda: networks.group_program(X, gated().gates(), network()(X)),
}
EXAMPLES = {**ON_DEVICE, **ON_CPU}
LIVE = {"Problem", "Run", "Solver", "State", "Step", "Task", "Trained", "Trains", "View"}
"""What a solver or a method works with while it runs, and base classes, which have no objects."""
ESTIMATORS = {"IMPRegressor", "SparseReLUClassifier", "SparseReLURegressor", "SparseRegressor", "SparseRegressorCV"}
"""Estimators of scikit-learn are equal only to themselves; tests/recovery/test_estimators.py pickles them."""


def by_joblib(value):
    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, protocol=2)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "joblib": by_joblib,
}


def use(value, put=np.asarray):
    """Numbers that an object gives, to be compared bit for bit."""
    if isinstance(value, planted.ReLUNetwork):
        width = value.n_inputs
        return value(put(np.linspace(-1.0, 1.0, 5 * width).reshape(5, width)))
    if isinstance(value, planted.KinkForm):
        return value(put(X)), value.supports
    if isinstance(value, recovery.GatedOperator | recovery.DenseOperator | ScaledOperator):
        n, size = value.shape
        x, r = put(np.linspace(-1.0, 1.0, size)), put(np.linspace(-1.0, 2.0, n))
        picked = put(np.array([0, 2, 5]))
        return (
            value.matvec(x), value.rmatvec(r), value.columns(picked), value.gram(picked), value.column_norms(),
            value.matvec_support(picked, x[:3]), [block for _, block in value.rmatvec_blocks(r)],
        )  # fmt: skip
    if isinstance(value, StoredGenerators | SeededGenerators):
        return value.block(0, value.count)
    if isinstance(value, recovery.Instance):
        return value.matrix, value.gated, value.y, repr(value.options)
    if isinstance(value, recovery.NetworkFit | networks.ExactFit):
        return use(value.network, put)
    if isinstance(value, networks.Masks):
        return value.prune([put(X), put(X.T)], count=5).layers
    if isinstance(value, pruning.Model):
        return value(put(X))
    if isinstance(value, pruning.FloorResult):
        return value.masks.layers, value.model.layers, value.path, repr(value)
    if isinstance(value, pruning.PruningResult):
        return value.masks.layers, value.model.layers, repr(value.cost), value.message
    if isinstance(value, linear_lottery.PruningPath):
        return value.losses(put(X), put(Y)), value.w, value.mask
    if isinstance(value, guarantees.Guarantee):
        return repr(value.judge(instance()))
    if isinstance(value, certificates.Certificate):
        value.check()
        return repr(value)
    if isinstance(value, Plain):
        return value.matvec(np.arange(6.0)), value.xp.__name__
    if type(value) is recovery.Operator:
        return None
    return repr(value)


def test_every_public_class_has_an_example():
    classes = public_classes()
    missing = [name for cls, name in classes.items() if cls.__name__ not in {*EXAMPLES, *LIVE, *ESTIMATORS}]
    assert not missing, f"add an example for {missing}"
    assert len(classes) > 30


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("name", EXAMPLES)
def test_copies_are_equal_and_usable(name, way):
    one = EXAMPLES[name](np.asarray) if name in ON_DEVICE else EXAMPLES[name]()
    other = COPIES[way](one)
    assert type(other) is type(one)
    assert type(one).__name__ == name.partition("[")[0] or name == "Operator[own]"
    if type(one) is not recovery.Operator:
        assert one == other
        assert not one != other
    assert same(use(one), use(other))
    if type(one).__hash__ is not None:
        assert type(one) is recovery.Operator or hash(one) == hash(other)


@pytest.mark.parametrize("way", ["pickle", "deepcopy"])
@pytest.mark.parametrize("name", ON_DEVICE)
def test_copies_on_every_device(backend, name, way):
    one = ON_DEVICE[name](backend.put)
    other = COPIES[way](one)
    assert one == other
    assert hash(one) == hash(other)
    assert same(use(one, backend.put), use(other, backend.put))
    if backend.put(X) is not X and name not in ("Instance", "Instance[gated]", "SeededGenerators"):
        assert (one == ON_DEVICE[name](np.asarray)) == (backend.name == "numpy")


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name not in ("Operator", "Guarantee", "Status")])
def test_objects_made_alike_are_equal(name):
    one, other = (EXAMPLES[name](np.asarray) if name in ON_DEVICE else EXAMPLES[name]() for _ in range(2))
    assert one == other
    assert one != "something else"
    assert (one == "something else") is False


DIFFERENT = {
    "ReLUNetwork": lambda net: planted.ReLUNetwork([net.hidden, -net.output]),
    "ReLUNetwork[dtype]": lambda net: net.to("cpu", np.float32),
    "ReLUNetwork[column]": lambda net: planted.ReLUNetwork([net.hidden, net.output[:, None]]),
    "KinkForm": lambda form: planted.KinkForm(form.directions, form.strengths, form.linear, slack=1e-9),
    "DenseOperator": lambda A: recovery.DenseOperator(A.A * 2),
    "GatedOperator": lambda A: recovery.GatedOperator(X, ~A.gates()),
    "GatedOperator[seed]": lambda A: recovery.GatedOperator.from_seed(X, 3, 8),
    "Instance": lambda one: one.replace(x0=None),
    "Masks": lambda masks: networks.Masks([X > 0, X.T <= 0]),
    "RecoveryResult": lambda found: dataclasses.replace(found, x=found.x + 1e-16),
    "NetworkFit": lambda found: dataclasses.replace(found, network=network()),
    "PruningPath": lambda path: dataclasses.replace(path, w0=path.w0 + 1.0),
    "Model": lambda model: model.replace(biases=[2 * b for b in model.biases]),
    "Data": lambda data: pruning.Data(data.X, data.y),
    "PruningResult": lambda found: dataclasses.replace(found, masks=networks.Masks([~found.masks.layers[0]])),
    "FloorResult": lambda found: dataclasses.replace(found, accuracy=0.75),
    "Method": lambda method: method.replace(rewind=0.5),
    "Interval": lambda one: dataclasses.replace(one, witness=np.array([1, 3])),
    "Guarantee[own]": lambda one: dataclasses.replace(one, hypotheses=functools.partial(hypotheses, limit=4.0)),
    "Guarantee": lambda one: dataclasses.replace(one, outcome=outcome),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_objects_that_differ_are_unequal(name):
    base = name if name in EXAMPLES else name.partition("[")[0]
    one = EXAMPLES[base](np.asarray) if base in ON_DEVICE else EXAMPLES[base]()
    other = DIFFERENT[name](one)
    assert one != other
    assert other != one


def test_immutable_objects_stay_so():
    form, net, masks, one = network().kink_form(), network(), networks.Masks([X > 0]), instance()
    for way in COPIES.values():
        copies = (
            way((form, net, masks, one)) if way is not copy.copy else tuple(map(copy.copy, (form, net, masks, one)))
        )
        held = (copies[0].directions, copies[1].hidden, copies[2].layers[0], copies[3].A, copies[3].y, copies[3].matrix)
        for array in held:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0


@pytest.mark.parametrize(
    "catalogue", [guarantees.catalogue, linear_lottery.guarantees.catalogue, pruning_guarantees.catalogue]
)
def test_whole_catalogues_go_through_pickle(catalogue):
    listed = catalogue()
    found = pickle.loads(pickle.dumps(listed))
    assert [one.name for one in found] == [one.name for one in listed]
    assert found == listed
    assert len(set(listed)) == len(listed)
    assert copy.deepcopy(listed) == listed
    assert listed[0] != listed[1]


def test_a_guarantee_of_closures_says_that_it_cannot_be_pickled():
    one = dataclasses.replace(own_guarantee(), outcome=lambda one: outcome(one))
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(one)
    changed = dataclasses.replace(guarantees.catalogue()[0], hypotheses=hypotheses, outcome=outcome, sampler=None)
    assert pickle.loads(pickle.dumps(changed)).hypotheses is hypotheses
    with pytest.raises(LookupError, match=r"recovery\.guarantees:catalogue has no guarantee 'gone'"):
        type(one).__reduce_ex__(guarantees.catalogue()[0], 2)[0]("recovery.guarantees:catalogue", "gone")


def work(operator, net, one, guarantee):
    found = recovery.solve(operator, operator.matvec(np.eye(operator.shape[1])[0]), 1)
    return found, operator, net, one, guarantee, guarantee.judge(one)


@pytest.mark.parametrize("name", list(recovery.list_solvers()))
def test_solvers_go_through_pickle(name):
    solver = solver_class(name)()
    assert pickle.loads(pickle.dumps(solver)) == solver
    assert copy.deepcopy(solver) == solver


def example(name, put=np.asarray):
    return EXAMPLES[name](put) if name in ON_DEVICE else EXAMPLES[name]()


SAVED = {"ReLUNetwork", "KinkForm", "RecoveryResult", "NetworkFit", "PruningPath", "PruningResult", "Masks", "Model",
         "Diagnosis"}  # fmt: skip


def test_what_can_be_saved_and_shown_is_listed():
    classes = public_classes()
    assert {cls.__name__ for cls in classes if issubclass(cls, Stored)} == SAVED | ESTIMATORS
    assert {cls.__name__ for cls in classes if hasattr(cls, "plot")} == PLOTTED | ESTIMATORS
    assert {cls.__name__ for cls in classes if hasattr(cls, "to_pandas")} == FRAMED | ESTIMATORS
    estimators = {cls.__name__ for cls in classes if cls.__name__ in ESTIMATORS}
    assert {cls.__name__ for cls in classes if hasattr(cls, "_repr_html_")} - estimators == SHOWN


@pytest.mark.parametrize("ending", ["npz", "json"])
@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.partition("[")[0] in SAVED])
def test_objects_come_back_from_files(backend, tmp_path, name, ending):
    one = example(name, backend.put)
    path = tmp_path / f"one.{ending}"
    one.save(path)
    other = type(one).load(path)
    assert other == example(name)
    assert same(use(other), use(example(name)))


def html_of(one):
    page = one._repr_html_()
    assert page.count("<div") == page.count("</div>")
    assert page.count("<table") == page.count("</table>") >= 1
    for word in ("color", "background", "nan", "object at 0x"):
        assert word not in page, word
    return page


SHOWN = {*(SAVED - {"KinkForm", "Masks"}), "Certificate", "Verdict", "Ledger", "Space", "AttackResult"}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.partition("[")[0] in SHOWN])
def test_notebooks_show_a_small_table(backend, name):
    page = html_of(example(name, backend.put))
    assert page == html_of(example(name)) or name.startswith("ReLUNetwork")  # the device is named
    assert len(page) < 20_000


PLOTTED = {"RecoveryResult", "NetworkFit", "ReLUNetwork", "PruningPath", "PruningResult", "Diagnosis"}
"""Estimators have tables and plots too; tests/recovery/test_estimators.py makes them."""
FRAMED = PLOTTED | {"Ledger", "Space"}


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.partition("[")[0] in PLOTTED])
def test_plots_take_axes_and_return_them(backend, name):
    figure = pytest.importorskip("matplotlib.figure").Figure()
    ax = figure.add_subplot()
    assert example(name, backend.put).plot(ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel() or ax.get_yticklabels()
    figure.canvas.draw()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.partition("[")[0] in FRAMED])
def test_tables_become_frames(backend, name):
    pandas = pytest.importorskip("pandas")
    frame = example(name, backend.put).to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.equals(example(name).to_pandas())
    assert len(frame)
    assert object not in set(frame.dtypes)


@pytest.mark.slow
def test_objects_go_to_a_process_and_come_back():
    given = gated(), network(), instance(), guarantees.catalogue("linear")[0]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found, *back, judgement = pool.submit(work, *given).result()
    expected, *_, judged = work(*given)
    assert tuple(back) == given
    assert found == expected
    assert judgement == judged


def test_results_do_not_hold_what_the_caller_may_change():
    w0, x0 = np.ones(6), np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])
    paths = [linear_lottery.imp(X, Y, 3, w0=w0, flow_time=1.0), linear_lottery.threshold_prune(X, Y, 0.1, w0=w0)]
    found = recovery.solve(X, Y, 3, "iht", x0=x0, max_iter=1)
    layers = [np.ones((6, 2)), np.ones(2)]
    net, masks = planted.ReLUNetwork(layers), networks.Masks([X > 0])
    directions, strengths, linear = np.eye(6)[:, :2].copy(), np.ones(2), np.ones(6)
    form = planted.KinkForm(directions, strengths, linear)
    before = pickle.dumps((paths, found, net, masks, form))
    for array in (w0, x0, *layers, directions, strengths, linear):
        array[...] = 7.0
    assert pickle.dumps((paths, found, net, masks, form)) == before


@pytest.mark.parametrize("name", list(recovery.list_solvers()))
def test_callbacks_cannot_change_a_run(backend, name):
    if name in ("l1", "group_l1"):
        pytest.importorskip("cvxpy")
    seen = []

    def vandal(state):
        seen.append(state.n_iter)
        state.values[...] = 1e6
        state.support[...] = 0

    A = recovery.GatedOperator(backend.put(X), backend.put(np.ones((24, 1))))
    plain = recovery.solve(A, backend.put(Y), 3, name)
    assert recovery.solve(A, backend.put(Y), 3, name, callback=vandal) == plain
    assert seen

"""Every named method finds the masks of a direct implementation, bit for bit; scores are those of autograd."""

import dataclasses

import numpy as np
import pytest

import linear_lottery
from planted.base import arrays
from recovery import pruning
from tests.oracles import direct_pruning as oracle

METHODS = sorted(pruning.catalogue())
KINDS = [
    ((7, 6, 5, 3), True, "cross_entropy"),
    ((7, 6, 5, 3), False, "squared"),
    ((7, 9, 2), True, "squared"),
    ((10, 4), False, "squared"),
    ((10, 4), True, "cross_entropy"),
]
IDS = ["deep-bias-classes", "deep", "bias-outputs", "linear", "linear-bias-classes"]


def problem(widths, bias, loss, seed=0):
    rng = np.random.default_rng(seed)
    model = pruning.Model.draw(widths, bias=bias, loss=loss, rng=rng)
    X = rng.standard_normal((40, widths[0]))
    teacher = pruning.Model.draw(widths, rng=rng, initialisation=0.5)
    Y = teacher(X) + 0.1 * rng.standard_normal((40, widths[-1]))
    if loss == "cross_entropy":
        Y = np.eye(widths[-1])[Y.argmax(axis=1)]
    return model, X, Y


def plain(model):
    return [np.array(w) for w in model.layers], None if model.biases is None else [np.array(b) for b in model.biases]


@pytest.mark.filterwarnings("ignore:.*(no weights left|no path of kept weights):RuntimeWarning")  # at 25 %
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(name, kind, id=f"{name}-{label}")
        for name in METHODS
        for kind, label in zip(KINDS, IDS, strict=True)
        if kind[2] == "cross_entropy" or not name.startswith("bingo")  # which looks at the accuracy
    ],
)
def test_masks_are_those_of_a_direct_implementation(name, kind):
    model, X, Y = problem(*kind)
    method = pruning.catalogue(pruning.Training(n_iter=30, schedule="cosine"))[name]
    if hasattr(method.dynamics, "period") and name != "iht":  # 30 updates, in place of hundreds
        method = method.replace(dynamics=dataclasses.replace(method.dynamics, period=oracle.Direct.period))
    data = {"source": (X, Y), "target": (X[:20], Y[:20])} if name == "ticket-transfer" else (X, Y)
    tool = oracle.Direct(*plain(model), X, Y, model.loss)
    for share in (0.6, 0.25):
        count = round(share * model.n_weights)
        result = pruning.prune(model, data, method, sparsity=count, rng=5)
        expected = getattr(tool, name.replace("-", "_"))(count, np.random.default_rng(5))
        assert [m.tolist() for m in result.masks.layers] == [m.tolist() for m in expected]
        assert result.sparsity == count
        for layer, mask in zip(result.model.layers, expected, strict=True):
            assert not layer[~mask].any()


def test_every_method_of_the_catalogue_has_a_direct_version():
    missing = [name for name in METHODS if not hasattr(oracle.Direct, name.replace("-", "_"))]
    assert missing == []


@pytest.mark.filterwarnings("ignore:.*(no weights left|no path of kept weights):RuntimeWarning")
class TestOnAnotherBackend:
    @pytest.mark.parametrize("name", METHODS)
    def test_masks_are_the_same(self, name, backend):
        model, X, Y = problem((6, 5, 3), True, "cross_entropy", seed=3)
        layers, biases = ([backend.put(v) for v in values] for values in (model.layers, model.biases))
        put = pruning.Model(layers, biases, model.loss)
        method = pruning.catalogue(pruning.Training(n_iter=6, batch_size=16, schedule="cosine"))[name]
        one = (backend.put(X), backend.put(Y))
        data = {"source": one, "target": one}
        host = {"source": (X, Y), "target": (X, Y)}
        if name != "ticket-transfer":
            data, host = one, (X, Y)
        result = pruning.prune(put, data, method, sparsity=20, rng=1)
        expected = pruning.prune(model, host, method, sparsity=20, rng=1)
        assert [backend.get(m).tolist() for m in result.masks.layers] == [m.tolist() for m in expected.masks.layers]
        assert result.cost == expected.cost


class TestAutograd:
    """The same scores from PyTorch's own derivatives."""

    @pytest.fixture
    def torch(self):
        return pytest.importorskip("torch", reason="PyTorch is not installed; the formulas are tested without it")

    @staticmethod
    def graph(torch, model):
        """Return the weights and biases as leaves, and the outputs as a function of inputs."""
        W = [torch.tensor(np.array(w), requires_grad=True) for w in model.layers]
        b = None if model.biases is None else [torch.tensor(np.array(v)) for v in model.biases]

        def outputs(weights, values, biased=True):
            for i, w in enumerate(weights):
                values = values @ w + (b[i] if b is not None and biased else 0)
                if i < len(weights) - 1:
                    values = torch.relu(values)
            return values

        return W, outputs

    @pytest.mark.parametrize("kind", KINDS, ids=IDS)
    def test_snip_grasp_synflow_and_magnitude(self, torch, kind):
        model, X, Y = problem(*kind, seed=1)
        W, outputs = self.graph(torch, model)
        inputs, wanted = torch.tensor(X), torch.tensor(Y)
        found = outputs(W, inputs)
        if model.loss == "squared":
            loss = ((found - wanted) ** 2).sum() / (2 * len(X))
        else:
            loss = -(wanted * torch.log_softmax(found, dim=1)).sum() / len(X)
        g = torch.autograd.grad(loss, W, create_graph=True)
        flow = sum((part**2).sum() for part in g) / 2
        Hg = torch.autograd.grad(flow, W)
        sizes = [w.detach().abs().requires_grad_() for w in W]
        ones = torch.ones(1, X.shape[1], dtype=torch.float64)
        slopes = torch.autograd.grad(outputs(sizes, ones, biased=False).sum(), sizes)
        expected = {
            "magnitude": [w.abs() for w in W],
            "snip": [(w * s).abs() for w, s in zip(W, g, strict=True)],
            "grasp": [w * s for w, s in zip(W, Hg, strict=True)],
            "synflow": [w * s for w, s in zip(sizes, slopes, strict=True)],
        }
        for name, layers in expected.items():
            scores = pruning.score(model, (X, Y), name)
            layers = [layer.detach().numpy() for layer in layers]
            if name == "synflow":  # up to one power of two for all
                power = round(np.log2(layers[0].max() / scores[0].max()))
                scores = [layer * 2.0**power for layer in scores]
            top = max(np.abs(layer).max() for layer in layers)
            for layer, score in zip(layers, scores, strict=True):
                assert score == pytest.approx(layer, abs=1e-10 * top, rel=1e-10)


class TestTable:
    def test_a_row_for_each_method_and_a_column_for_each_axis(self):
        table = pruning.describe()
        assert [row[0] for row in table.rows] == list(pruning.catalogue())
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert len(set(table.rows)) == len(table.rows)
        text = str(table)
        assert text.splitlines()[0].split()[0] == "method"
        assert all(name in text for name in METHODS)
        assert table._repr_html_().count("<tr>") == len(table.rows) + 1
        assert table.markdown().count("\n") == len(table.rows) + 1
        assert repr(table) == f"Space({len(table.rows)} methods)"

    def test_no_two_methods_are_the_same_point(self):
        points = [dataclasses.replace(method, name="") for method in pruning.catalogue().values()]
        assert all(a != b for i, a in enumerate(points) for b in points[:i])

    def test_methods_that_have_files_of_their_own_are_these(self):
        training = pruning.Training(n_iter=7)
        listed = pruning.catalogue(training)
        transfer = pruning.ticket_transfer(layers="all", training=training)
        assert transfer.replace(retraining="same") == listed["ticket-transfer"].replace(schedule=pruning.Rounds())
        assert pruning.bingo("corrected", training) == listed["bingo-corrected"]
        assert pruning.edge_popup(training).replace(name="supermask", training=training) == listed["supermask"]
        assert {"set": pruning.SET(), "rigl": pruning.RigL(), "gradual": pruning.Gradual()} == {
            name: listed[name].dynamics for name in ("set", "rigl", "gradual")
        }
        exact = pruning.catalogue(linear_lottery.Flow())  # NEq and edge-popup take gradient steps in any case
        assert exact["neq"].dynamics == pruning.catalogue()["neq"].dynamics
        assert exact["imp"].training == linear_lottery.Flow()

    def test_options_that_are_not_the_defaults_are_shown(self):
        method = pruning.Method(
            "mine", pruning.Snip(rows=5), scope="unit", schedule=pruning.Rounds(0.5), rewind=0.25, layers="hidden"
        )
        row = dict(zip(pruning.describe(method).columns, pruning.describe(method).rows[0], strict=True))
        assert row["criterion"] == "Snip(rows=5)"
        assert row["schedule"] == "Rounds(share=0.5)"
        assert row["rewinds to"] == "25 %"
        assert row["scope"] == "unit, equal, hidden layers"
        assert pruning.describe([method, method]).rows == (pruning.describe(method).rows[0],) * 2

    def test_names(self):
        model, X, Y = problem((6, 5, 3), True, "squared")
        with pytest.raises(ValueError, match="method='snap' is not known; expected"):
            pruning.prune(model, (X, Y), "snap", sparsity=5)
        with pytest.raises(TypeError, match="method is of type int; expected a Method, or a name of the catalogue"):
            pruning.prune(model, (X, Y), 3, sparsity=5)
        short = pruning.catalogue(pruning.Training(n_iter=2))
        assert all(method.training.n_iter == 2 for method in short.values())
        found = pruning.prune(model, (X, Y), "random", sparsity=5, rng=0)
        assert found.sparsity == 5
        assert arrays.device_of(found.masks.layers[0]) == "cpu"

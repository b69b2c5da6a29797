"""`paper-repro data`: what it lists, checks and fetches, and what `run` says of stand-ins."""

import gzip
import hashlib
import shutil
import socket

import fabricated
import fileserver
import imagefiles
import pytest

from paper_repro import cli, data, experiment
from planted import downloads, inventory


@pytest.fixture
def root(tmp_path, monkeypatch):
    """An empty data folder, named by the environment."""
    monkeypatch.setenv("SPARSE_RECOVERY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "data"


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Small files in the place of the published ones of MNIST, on a server of this machine."""
    source = tmp_path / "published"
    imagefiles.write_mnist(source)
    paths = {name: source / "mnist" / f"{name}.gz" for name in downloads.MNIST_MD5}
    for name, path in paths.items():
        monkeypatch.setitem(downloads.MNIST_MD5, name, hashlib.md5(path.read_bytes()).hexdigest())
        content = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        monkeypatch.setitem(inventory.MNIST_SHA256, name, content)
    with fileserver.serving(source) as address:
        monkeypatch.setattr(downloads, "MNIST_URL", f"{address}mnist/")
        yield source


@pytest.fixture
def command(capsys):
    """A function that runs `data` and returns (exit code, output, errors)."""

    def run(*arguments):
        code = cli.main(["data", *arguments])
        return code, *capsys.readouterr()

    return run


def test_an_empty_folder_is_listed_and_is_no_failure(root, command):
    code, output, errors = command()
    assert (code, errors) == (0, "")
    assert f"data folder: {root} (set by SPARSE_RECOVERY_DATA)" in output
    assert "MNIST: 60,000 + 10,000 grey images of 28 x 28, digits; for fig3-binary, fig3-digits, fig4, fig8" in output
    assert "50,000 + 10,000 colour images of 32 x 32; for fig5, fig10\n" in output
    assert output.count("missing: no such file") == 10
    assert "figures show scikit-learn's digits (8 x 8) or a grey crop of scikit-learn's photograph" in output
    assert "figures show a colour crop of scikit-learn's photograph china.jpg instead, and say so" in output
    assert "`paper-repro data --download` fetches what is missing (mnist 12 MB, cifar10 170 MB)" in output
    assert not root.exists()


def test_one_that_is_asked_for_by_name_and_is_not_there_is_a_failure(root, command):
    code, output, _ = command("mnist")
    assert code == 1
    assert "CIFAR" not in output
    code, _, errors = command("imagenet")
    assert code == 2
    assert "there is no data set 'imagenet'; expected mnist or cifar10" in errors


def test_what_is_missing_is_fetched_and_then_intact(root, command, published):
    code, output, _ = command("mnist", "--download")
    assert code == 0
    assert "fetched from" in output
    assert "train-images-idx3-ubyte and 3 more files" in output
    assert output.count("intact: its SHA-256 is that of the published content") == 4
    assert "complete: figures show it" in output
    shutil.rmtree(published)  # nothing is fetched a second time
    assert command("mnist", "--download")[:2] == command("mnist")[:2]
    path = root / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    code, output, _ = command()
    assert code == 1
    assert "damaged: move t10k-labels-idx1-ubyte.gz away, then --download fetches it anew" in output


def test_without_a_network_it_says_so_and_what_to_do(root, command, monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(downloads, "MNIST_URL", f"http://127.0.0.1:{free.getsockname()[1]}/")
    code, output, _ = command("mnist", "--download")
    assert code == 1
    assert "not fetched: train-images-idx3-ubyte.gz could not be downloaded from http://127.0.0.1" in output
    assert "there is no connection to 127.0.0.1" in output
    assert f"get it on another machine and put it in {root / 'mnist'}" in output
    assert output.count("missing: no such file") == 4
    assert "Traceback" not in output


def test_a_part_of_cifar10_that_suffices_is_not_called_a_stand_in(root, command, monkeypatch):
    monkeypatch.setattr(downloads, "CIFAR10_IMAGES", 4)
    imagefiles.write_cifar(root, batches=1)
    output = command("cifar10")[1]
    assert "incomplete, but the figures need only what is there" in output
    shutil.rmtree(root / "cifar10")
    imagefiles.write_cifar(root, folder="cifar10-jpeg", batches=1)
    assert "figures show the JPEG-compressed CIFAR-10 sample instead, and say so" in command("cifar10")[1]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fig3-binary", "shows scikit-learn's digits (8 x 8) instead of MNIST: "),
        ("fig8-digits", "shows scikit-learn's digits (8 x 8) instead of MNIST: "),
        ("fig4", "shows a grey crop of scikit-learn's photograph china.jpg instead of MNIST: "),
        ("fig10", "shows a colour crop of scikit-learn's photograph china.jpg instead of CIFAR-10: "),
    ],
)
def test_run_says_that_something_stands_in_and_how_to_get_the_real_data(root, capsys, tmp_path, name, words):
    fabricated.fill(tmp_path / "r", name, "smoke")
    assert cli.main(["run", name, "--preset", "smoke", "--device", "cpu", "--results", str(tmp_path / "r")]) == 0
    said = capsys.readouterr().err
    wanted = "mnist" if words.endswith("MNIST: ") else "cifar10"
    assert f"{name}: {words}{root / wanted} lacks " in said
    assert f"`paper-repro data {wanted} --download` fetches it" in said
    assert "set SPARSE_RECOVERY_DATA to the data folder" in said


def test_real_data_and_planted_data_need_no_words(root):
    imagefiles.write_mnist(root)
    imagefiles.write_cifar(root)
    for name in ("fig1", "fig3-binary", "fig4", "fig5", "imp-phase"):
        assert data.stand_ins(experiment.get(name).cells("smoke", 0)) == []
    (root / "mnist" / "t10k-labels-idx1-ubyte.gz").unlink()
    (said,) = data.stand_ins(experiment.get("fig4").cells("smoke", 0))
    assert f"{root / 'mnist'} lacks t10k-labels-idx1-ubyte. " in said


def test_every_source_of_an_image_is_a_data_set_or_stands_for_one():
    from paper_repro.experiments.mnist import PIXELS
    from planted import INR_SOURCES

    sources = {*PIXELS, *sum(INR_SOURCES.values(), ())}
    assert sources == {*inventory.DATA_SETS, *inventory.STANDS_FOR}

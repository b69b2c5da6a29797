"""Small image files in the formats of MNIST and CIFAR-10."""

import gzip
import struct

import numpy as np

MNIST_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def idx_bytes(values):
    """Return an array of bytes as the content of an IDX file."""
    values = np.asarray(values, dtype=np.uint8)
    return struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape) + values.tobytes()


def cifar_bytes(pixels, labels):
    """Return images and labels as the content of a file of CIFAR-10's binary version."""
    return b"".join(bytes([label]) + row.tobytes() for label, row in zip(labels, pixels, strict=True))


def write_mnist(root, n_train=40, n_test=20, seed=0, pack=gzip.compress):
    """Write a small set of MNIST's files under `root`, and return its arrays by name."""
    rng = np.random.default_rng(seed)
    arrays = {
        "x_train": rng.integers(0, 256, (n_train, 28, 28), dtype=np.uint8),
        "y_train": (np.arange(n_train) % 10).astype(np.uint8),
        "x_test": rng.integers(0, 256, (n_test, 28, 28), dtype=np.uint8),
        "y_test": (np.arange(n_test) % 10).astype(np.uint8),
    }
    folder = root / "mnist"
    folder.mkdir(parents=True)
    for key, values in arrays.items():
        name = MNIST_NAMES[key] + (".gz" if pack is gzip.compress else "")
        (folder / name).write_bytes(pack(idx_bytes(values)))
    return arrays


def write_cifar(root, folder="cifar10", batches=5, each=4, seed=0, pack=bytes):
    """Write a small set of CIFAR-10's files under `root`, and return (pixels, labels) of each file by name."""
    rng = np.random.default_rng(seed)
    (root / folder).mkdir(parents=True)
    written = {}
    for name in [f"data_batch_{i}.bin" for i in range(1, batches + 1)] + ["test_batch.bin"]:
        pixels = rng.integers(0, 256, (each, 3072), dtype=np.uint8)
        labels = rng.integers(0, 10, each, dtype=np.uint8)
        suffix = ".gz" if pack is gzip.compress else ""
        (root / folder / (name + suffix)).write_bytes(pack(cifar_bytes(pixels, labels)))
        written[name] = (pixels, labels)
    return written

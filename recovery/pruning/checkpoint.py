"""Checkpoints of pruning runs, so that an interrupted run can be resumed."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from planted.base import arrays
from planted.downloads import write_whole
from recovery.mlp.masks import Masks
from recovery.pruning.cost import Cost
from recovery.pruning.model import Model
from recovery.pruning.result import PruningRound

if TYPE_CHECKING:
    from typing import Protocol

    class Resumable(Protocol):
        """Attributes that a resumable run must have."""

        start: Model
        masks: Masks
        cost: Cost
        rng: np.random.Generator
        path: list[PruningRound]
        scores: list[Any]
        kept: Model | None
        dense: Model | None
        has_weights: bool
        n_iter: int
        count: int
        data: Any
        method: Any


__all__ = ["Checkpoint", "fingerprint"]


class Checkpoint:
    """A file for the state of one run.

    Parameters
    ----------
    path : path
        An npz file with arrays and one JSON text; nothing is pickled.
    run : object
        The run whose attributes are saved and restored.
    """

    def __init__(self, path: str | Path, run: Resumable) -> None:
        self.path, self.run = Path(path), run
        self.mark = fingerprint(run.start, run.data, run.method, run.count, run.rng.bit_generator.state)

    def save(self, n_rounds: int, current: Model) -> None:
        """Atomically write the state after a number of rounds."""
        run = self.run
        parts: dict[str, Any] = {}
        models = {"current": current, "kept": run.kept, "dense": run.dense}
        models |= {f"round {i}": one.model for i, one in enumerate(run.path)}
        for name, model in models.items():
            if model is not None:
                parts[f"{name} weights"] = _vector(model)
        for i, one in enumerate(run.path):
            parts[f"round {i} masks"] = np.packbits(arrays.to_numpy(one.masks.flat))
        parts["masks"] = np.packbits(arrays.to_numpy(run.masks.flat))
        for i, layer in enumerate(run.scores):
            parts[f"scores {i}"] = arrays.to_numpy(layer)
        text = {
            "mark": self.mark,
            "rounds": n_rounds,
            "has_weights": run.has_weights,
            "rng": run.rng.bit_generator.state,
            "cost": dataclasses.asdict(run.cost),
            "n_iter": run.n_iter,
            "path": [{"n_iter": one.n_iter, "loss": repr(one.loss)} for one in run.path],
        }
        parts["text"] = np.frombuffer(json.dumps(text, default=_plain).encode(), dtype=np.uint8)
        content = io.BytesIO()
        np.savez(content, **parts)
        write_whole(self.path, content.getvalue())

    def load(self, current: Model) -> tuple[int, Model]:
        """Restore the run from the file; return the number of completed rounds and the current model."""
        if not self.path.exists():
            return 0, current
        run, start = self.run, self.run.start
        try:
            with open(self.path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
                parts = {name: file[name] for name in file.files}
            text = json.loads(parts["text"].tobytes())
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"checkpoint={str(self.path)!r} cannot be read ({error}); remove it to start over"
            ) from error
        if text["mark"] != self.mark:
            raise ValueError(
                f"checkpoint={str(self.path)!r} belongs to another run; expected the same model, data, method, "
                "sparsity and rng. Remove it, or choose another file"
            )

        def model(name: str) -> Model | None:
            stored = parts.get(f"{name} weights")
            return None if stored is None else _model(stored, start)

        run.masks = _masks(parts["masks"], start)
        run.scores = [arrays.from_numpy_like(parts[f"scores {i}"], start.layers[0]) for i in range(len(start.layers))]
        run.rng.bit_generator.state = text["rng"]
        run.cost.__dict__.update(text["cost"])
        run.n_iter, run.kept, run.dense = text["n_iter"], model("kept"), model("dense")
        run.has_weights = text["has_weights"]
        run.path[:] = [
            PruningRound(
                _masks(parts[f"round {i} masks"], start), model(f"round {i}"), one["n_iter"], float(one["loss"])
            )
            for i, one in enumerate(text["path"])
        ]
        return text["rounds"], model("current") or current


def _vector(model: Model) -> np.ndarray:
    values = [*model.layers, *(model.biases or ())]
    return np.concatenate([arrays.to_numpy(value).ravel() for value in values])


def _model(vector: np.ndarray, like: Model) -> Model:
    found, start = [], 0
    for value in [*like.layers, *(like.biases or ())]:
        size = int(value.size)
        part = vector[start : start + size].reshape(value.shape)
        found.append(arrays.from_numpy_like(part, like.layers[0]))
        start += size
    count = len(like.layers)
    return Model(found[:count], found[count:] if like.biases is not None else None, like.loss)


def _masks(bits: np.ndarray, like: Model) -> Masks:
    flat = np.unpackbits(bits, count=like.n_weights).astype(bool)
    layers = like.shapes.split(flat)
    xp = arrays.namespace(*like.layers)
    return Masks([xp.asarray(layer) for layer in layers])


def fingerprint(*values: Any) -> str:
    """Return a hash of models, data, methods, numbers and functions; functions enter by their names."""
    digest = hashlib.sha256()

    def feed(value: Any) -> None:
        if arrays.is_array(value):
            host = np.ascontiguousarray(arrays.to_numpy(value))
            digest.update(f"{host.dtype} {host.shape}".encode() + host.tobytes())
        elif isinstance(value, Model):
            feed([value.loss, *value.layers, *(value.biases or ())])
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            digest.update(type(value).__qualname__.encode())
            for item in dataclasses.fields(value):
                digest.update(item.name.encode())
                feed(getattr(value, item.name))
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                digest.update(str(key).encode())
                feed(value[key])
        elif isinstance(value, (list, tuple)):
            digest.update(str(len(value)).encode())
            for one in value:
                feed(one)
        elif isinstance(value, partial):
            feed([value.func, value.args, value.keywords])
        elif callable(value):
            name = getattr(value, "__qualname__", type(value).__qualname__)
            digest.update(f"{getattr(value, '__module__', '')}.{name}".encode())
        else:
            digest.update(repr(value).encode())

    feed(values)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else int(value)

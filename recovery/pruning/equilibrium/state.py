"""State of a training with frozen units after an epoch: everything that the next epoch needs, saved in one file."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from planted.base import arrays
from planted.downloads import write_whole
from recovery.pruning.equilibrium.costs import EpochCost

__all__ = ["State"]

_HISTORIES = ("phi", "change", "velocity", "masks")


@dataclass
class State:
    """State of a training after some epochs.

    Attributes
    ----------
    layers, biases
        Weights, and biases or None, on the device of the model.
    slots : list of list of array
        The optimiser's state.
    frozen : list of numpy.ndarray of bool
        Units that are frozen in the next epoch.
    rng : numpy.random.Generator
        Orders the rows of batches.
    entropy : tuple of int
        Entropy of a rule's random numbers; together with the index of an epoch it determines that epoch's numbers.
    n_updates : int
        Number of updates made.
    phi, change, velocity, masks : list of list of numpy.ndarray
        For each epoch one array per layer; `masks` are the units that were frozen in it.
    losses, rates : list of float
        Mean loss and mean learning rate of each epoch.
    costs : list of EpochCost
        What each epoch cost.
    """

    layers: list[Any]
    biases: list[Any] | None
    slots: list[list[Any]]
    frozen: list[np.ndarray]
    rng: np.random.Generator
    entropy: tuple[int, ...]
    n_updates: int = 0
    phi: list[list[np.ndarray]] = field(default_factory=list)
    change: list[list[np.ndarray]] = field(default_factory=list)
    velocity: list[list[np.ndarray]] = field(default_factory=list)
    masks: list[list[np.ndarray]] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    costs: list[EpochCost] = field(default_factory=list)

    @property
    def n_epochs(self) -> int:
        """Epochs that are done."""
        return len(self.losses)

    def history(self, name: str) -> list[np.ndarray]:
        """Return a history as one array of shape (epochs, units) per layer; empty if nothing was measured."""
        rows = getattr(self, name)
        return [np.stack(column) for column in zip(*rows, strict=True)]

    def choices(self) -> np.random.Generator:
        """Return the source of a rule's random numbers after the last epoch, reproducible after an interruption."""
        return np.random.default_rng([*self.entropy, self.n_epochs])

    def save(self, path: Path, mark: str) -> None:
        """Write the state atomically to an npz file.

        Parameters
        ----------
        path : pathlib.Path
            Destination.
        mark : str
            Fingerprint of model, data and settings.
        """
        groups: dict[str, list[Any]] = {"layer": self.layers, "bias": self.biases or [], "frozen": self.frozen}
        groups |= {f"slot {i}": slot for i, slot in enumerate(self.slots)}
        groups |= {name: self.history(name) for name in _HISTORIES}
        kept: dict[str, Any] = {
            f"{name} {i}": arrays.to_numpy(part) for name, parts in groups.items() for i, part in enumerate(parts)
        }
        kept["losses"], kept["rates"] = np.array(self.losses), np.array(self.rates)
        kept["costs"] = np.array([cost.as_row() for cost in self.costs]).reshape(len(self.costs), -1)
        text = {"mark": mark, "rng": self.rng.bit_generator.state, "n_updates": self.n_updates}
        kept["text"] = np.frombuffer(json.dumps(text, default=_plain).encode(), dtype=np.uint8)
        content = io.BytesIO()
        np.savez(content, **kept)
        write_whole(path, content.getvalue())

    def load(self, path: Path, mark: str) -> None:
        """Load the state from a file.

        Parameters
        ----------
        path : pathlib.Path
            A file written by :meth:`save`.
        mark : str
            As for :meth:`save`.

        Raises
        ------
        ValueError
            If the file is not such a file, or belongs to another model, other data or other settings.
        """
        try:
            # from bytes, since NumPy does not close a broken file
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                kept = {name: file[name] for name in file.files}
            text = json.loads(kept["text"].tobytes())
            known = text["mark"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"checkpoint={str(path)!r} cannot be read ({error}); remove it to start over") from error
        if known != mark:
            raise ValueError(
                f"checkpoint={str(path)!r} belongs to another run; expected the same model, data, settings and rng. "
                "Remove it, or choose another file"
            )

        def group(name: str) -> list[np.ndarray]:
            found: list[np.ndarray] = []
            while f"{name} {len(found)}" in kept:
                found.append(kept[f"{name} {len(found)}"])
            return found

        def moved(name: str) -> list[Any]:
            return [arrays.from_numpy_like(part, self.layers[0]) for part in group(name)]

        self.slots = [moved(f"slot {i}") for i in range(len(self.slots))]
        self.biases = None if self.biases is None else moved("bias")
        self.layers = moved("layer")
        self.frozen = group("frozen")
        for name in _HISTORIES:
            setattr(self, name, [list(row) for row in zip(*group(name), strict=True)])
        self.losses, self.rates = kept["losses"].tolist(), kept["rates"].tolist()
        self.costs = [EpochCost.of_row(row) for row in kept["costs"]]
        self.rng.bit_generator.state = text["rng"]
        self.n_updates = int(text["n_updates"])


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else int(value)

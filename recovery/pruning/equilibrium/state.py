"""Where a training with frozen units stands after an epoch: all that the next epoch needs, in one file."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from planted.base import arrays
from recovery.pruning.equilibrium.costs import EpochCost

__all__ = ["State"]


@dataclass
class State:
    """A training after some epochs.

    Attributes
    ----------
    layers, biases
        Weights, and biases or None, on the device of the model.
    slots : list of list of array
        What the optimiser remembers.
    frozen : list of numpy.ndarray of bool
        Units that are frozen in the next epoch.
    entropy : tuple of int
        Where all random numbers come from; those of an epoch need nothing but its number beside it.
    n_updates : int
        Updates made.
    phi, change, velocity, masks : list of list of numpy.ndarray
        For each epoch one array for each layer; `masks` are the units that were frozen in it.
    losses, rates : list of float
        Mean loss and mean learning rate of each epoch.
    costs : list of EpochCost
        What each epoch cost.
    """

    layers: list[Any]
    biases: list[Any] | None
    slots: list[list[Any]]
    frozen: list[np.ndarray]
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
        """Return a history as one array of shape (epochs, units) for each layer; empty where nothing was measured."""
        rows = getattr(self, name)
        return [np.stack(column) for column in zip(*rows, strict=True)]

    def rng(self, purpose: int, epoch: int | None = None) -> np.random.Generator:
        """Return the random numbers of an epoch for a purpose."""
        return np.random.default_rng([*self.entropy, self.n_epochs if epoch is None else epoch, purpose])

    def save(self, path: str | os.PathLike[str], digest: str) -> None:
        """Write the state to an npz file, all of it or nothing.

        Parameters
        ----------
        path : path
            Where to; replaced at once when the whole file is on the disk.
        digest : str
            What identifies model, data and settings.
        """
        groups: dict[str, list[Any]] = {"layer": self.layers, "bias": self.biases or [], "frozen": self.frozen}
        groups |= {f"slot {i}": slot for i, slot in enumerate(self.slots)}
        kept = {f"{name} {i}": arrays.to_numpy(part) for name, parts in groups.items() for i, part in enumerate(parts)}
        for name in ("phi", "change", "velocity", "masks"):
            kept |= {f"{name} {i}": part for i, part in enumerate(self.history(name))}
        kept["losses"], kept["rates"] = np.array(self.losses), np.array(self.rates)
        kept["costs"] = np.array([cost.as_row() for cost in self.costs]).reshape(len(self.costs), -1)
        about = {"digest": digest, "entropy": [str(word) for word in self.entropy], "n_updates": self.n_updates}
        target = Path(path)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, about=np.array(json.dumps(about)), **kept)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str], digest: str, like: Any) -> State:
        """Read a state.

        Parameters
        ----------
        path : path
            A file of :meth:`save`.
        digest : str
            As for :meth:`save`.
        like : array
            Where the weights are to live.

        Returns
        -------
        State
            Equal to the one saved, bit for bit.

        Raises
        ------
        ValueError
            If the file is none of these, or of another model, other data or other settings.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                kept = {name: file[name] for name in file.files}
            about = json.loads(str(kept.pop("about")[()]))
            known = about["digest"]
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"checkpoint={os.fspath(path)!r} cannot be read ({error}); expected a file of a run"
            ) from error
        if known != digest:
            raise ValueError(
                f"checkpoint={os.fspath(path)!r} belongs to another model, other data or other settings; "
                "expected that of the same run, or a path where there is no file"
            )

        def group(name: str) -> list[np.ndarray]:
            found = []
            while f"{name} {len(found)}" in kept:
                found.append(kept[f"{name} {len(found)}"])
            return found

        def rows(name: str) -> list[list[np.ndarray]]:
            return [list(row) for row in zip(*group(name), strict=True)]

        def moved(parts: list[np.ndarray]) -> list[Any]:
            return [arrays.from_numpy_like(part, like) for part in parts]

        slots = []
        while f"slot {len(slots)} 0" in kept:
            slots.append(moved(group(f"slot {len(slots)}")))
        return cls(
            layers=moved(group("layer")),
            biases=moved(group("bias")) or None,
            slots=slots,
            frozen=group("frozen"),
            entropy=tuple(int(word) for word in about["entropy"]),
            n_updates=int(about["n_updates"]),
            **{name: rows(name) for name in ("phi", "change", "velocity", "masks")},
            losses=kept["losses"].tolist(),
            rates=kept["rates"].tolist(),
            costs=[EpochCost.of_row(row) for row in kept["costs"]],
        )

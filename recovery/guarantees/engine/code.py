"""Instances written as Python code that can be copied into a script."""

from __future__ import annotations

import numpy as np

from recovery.guarantees.engine.instance import Instance

__all__ = ["as_code"]


def as_code(instance: Instance) -> str:
    """Return Python code that recreates the instance bit for bit.

    Parameters
    ----------
    instance : Instance
        The problem.

    Returns
    -------
    str
        The code: ``instance = Instance...``.
    """
    gated = instance.gated
    used = {"GatedOperator": gated is not None, "Instance": True, "NoiseLaw": instance.law is not None}
    lines = ["import numpy as np", f"from recovery import {', '.join(name for name in used if used[name])}", ""]
    planted = instance.x is not None and instance.noise is not None
    parts = ("x", "noise", "x0") if planted else ("y", "x", "noise", "x0")
    lines.append("instance = Instance.planted(" if planted else "instance = Instance(")
    if gated is None:
        lines.append(f"    A={_written(instance.matrix)},")
    else:
        lines.append(f"    A=GatedOperator({_written(gated[0])}, {_written(gated[1].astype(int))}),")
    for name in parts:
        if getattr(instance, name) is not None:
            lines.append(f"    {name}=np.array({_listed(getattr(instance, name))}),")
    lines.append(f"    sparsity={int(instance.sparsity)},")
    if instance.law is not None:
        lines.append(f"    law=NoiseLaw({instance.law.name!r}, {float(instance.law.sigma)!r}),")
    if instance.options:
        lines.append(f"    options={dict(instance.options)!r},")
    return "\n".join([*lines, ")"])


def _written(matrix: np.ndarray) -> str:
    rows = ",\n        ".join(_listed(row) for row in matrix)
    return f"np.array([\n        {rows},\n    ])"


def _listed(row: np.ndarray) -> str:
    return "[" + ", ".join(repr(value) for value in row.tolist()) + "]"

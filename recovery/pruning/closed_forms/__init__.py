"""Closed forms of four papers on pruning, one file each: ``bingo``, ``equilibrium`` (NEq) and ``transfer``.

They are plain functions of numbers or of arrays of either device; docs/theory has their derivations. Import
the file: ``from recovery.pruning.closed_forms import bingo``.
"""

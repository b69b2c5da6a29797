"""Experiments: :mod:`paper_repro.experiment` finds what a module here lists in its ``EXPERIMENTS``."""

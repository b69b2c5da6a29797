"""The experiments; :mod:`paper_repro.experiment` finds those listed in ``EXPERIMENTS`` of each module here."""

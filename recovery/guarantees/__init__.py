"""Theorems as programs: hypotheses that are checked on an instance, and conclusions that are checked afterwards."""

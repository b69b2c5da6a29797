"""Theorems as programs: hypotheses that are checked on an instance, and conclusions that are checked afterwards."""

from recovery.guarantees.base import Guarantee, Judgement, Verdict, all_of, exceeds

__all__ = ["Guarantee", "Judgement", "Verdict", "all_of", "exceeds"]

"""The report: one HTML page that holds every figure and table of a preset, and needs no other file to be read."""

from paper_repro.report.gather import Section, gather
from paper_repro.report.page import write_report
from planted.base.doors import listing

__all__ = ["Section", "gather", "write_report"]
__dir__ = listing(__all__)

"""The report: one self-contained HTML page with all figures and tables of a preset."""

from paper_repro.report.gather import Section, gather
from paper_repro.report.page import write_report
from planted.base.doors import listing

__all__ = ["Section", "gather", "write_report"]
__dir__ = listing(__all__)

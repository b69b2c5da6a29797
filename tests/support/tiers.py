"""The tests that count as slow because of their measured times.

Two percent of the tests take half of the total time. They are listed in ``tests/slow_tests.txt`` with their measured
seconds, and get the marker ``slow`` when tests are collected. Tests that are marked in their own files are not listed
there. To measure again::

    make test-times

This runs all tests once, and calls this file with the report of the run. A test in :data:`KEPT` is never counted as
slow: it is the only fast test of something that must not break unnoticed.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

TABLE = Path(__file__).parents[1] / "slow_tests.txt"
LIMIT = 0.6
"""Seconds beyond which a test is slow."""
KEPT = (
    "notebooks/test_notebooks.py::test_it_runs_and_says_what_is_committed[01_plant_and_recover]",
    "paper_repro/test_cli.py::test_python_dash_m_is_the_command_and_starts_without_the_heavy_packages",
    "paper_repro/test_interrupt.py::test_the_first_ctrl_c_finishes_the_running_cells_and_leaves_a_store_that_can_be_resumed",
    "paper_repro/test_kill.py::test_three_kills",
    "paper_repro/test_planted_figures.py::test_a_cell[Fig1Cell-imp-fair-1]",
    "paper_repro/test_report.py::test_every_registered_figure_has_a_section_with_its_picture_table_and_settings",
    "paper_repro/test_report_browser.py::test_it_loads_without_a_complaint_and_asks_for_nothing_but_itself",
    "paper_repro/test_report_browser.py::test_the_page_never_scrolls_sideways_but_wide_tables_do_in_their_box[320]",
    "paper_repro/test_verify.py::test_the_same_seed_gives_the_same_table_in_any_number_of_processes",
    "properties/test_guarantee_properties.py::test_a_false_one_is_and_the_example_is_small",
    "recovery/test_exact_noise.py::test_the_supports_are_those_of_the_planted_network[2]",
    "recovery/test_foreign_operators.py::test_every_door_takes_products[Products]",
    "recovery/test_no_false_certificate.py::test_no_false_certificate_among_three_hundred",
    "recovery/test_threads.py::test_many_threads_leave_the_filters_and_no_call_warns",
    "test_doors.py::test_all_packages_work_with_numpy_and_scipy_alone",
    "test_repository.py::test_the_examples_of_the_readme_run",
    "test_wheel.py::test_doctor_runs_from_an_empty_folder_in_a_clean_environment",
)


def slow_tests():
    """Return the names of the slow tests, as in ``paper_repro/test_kill.py::test_three_kills``."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    return {line.partition(" ")[2] for line in lines if line and not line.startswith("#")}


def name_of(item):
    """Return the name of a collected test, its path being relative to the folder of the tests."""
    path, _, rest = item.nodeid.partition("::")
    return path.removeprefix("tests/") + "::" + rest


def measured(report):
    """Return a dictionary from the names of the tests in a report in JUnit's format to their seconds."""
    times = {}
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("skipped") is None:
            folders = case.get("classname").split(".")
            path = Path(*folders).with_suffix(".py")
            times[f"{path.relative_to('tests').as_posix()}::{case.get('name')}"] = float(case.get("time"))
    return times


def main(report, limit=LIMIT):
    """Write the table from a report, and print how much time it saves."""
    times = measured(report)
    unknown = [name for name in KEPT if name not in times]
    if unknown:
        sys.exit("tiers: KEPT names tests that did not run: " + ", ".join(unknown))
    chosen = {name: seconds for name, seconds in times.items() if seconds > limit and name not in KEPT}
    head = f"# written by `make test-times`: the tests that took more than {limit:g} s, and their seconds\n"
    TABLE.write_text(head + "".join(f"{chosen[name]:.1f} {name}\n" for name in sorted(chosen)), encoding="utf-8")
    print(f"tiers: {len(chosen)} of {len(times)} tests are slow; they took {sum(chosen.values()):.0f} of ", end="")
    print(f"{sum(times.values()):.0f} s")


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))

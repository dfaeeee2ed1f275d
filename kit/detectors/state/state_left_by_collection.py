"""state-left-by-collection: a test fails after another module was collected whose import changed state."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "state-left-by-collection"


def advice(finding: Finding[None]) -> str:
    """The advice when only the line that writes the state is known."""
    return f"Restore what {finding.where} changes: move the statement into a fixture."


KIND = Kind(
    NAME,
    "State that collecting a module leaves for a test",
    Explanation(
        what="A test fails once another module has been collected, whose import changed a piece of state.",
        comes_about="A test module changes a global, a variable or a registry at its top: pytest imports it before "
        "the first test.",
        example="""
        # tests/test_admin.py, at its top
        settings.debug = True                  # for every test of the run
        """,
        proved="Short re-runs: the test alone, with the other module collected, and with just that piece of state "
        "restored.",
        to_do="Move the statement into a test or a fixture that restores the state.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("short re-runs of a few tests find it (kit diagnose --test ID): which tests, which state, which line"),
    advice,
)

"""state-needed-from-test: a test that fails alone passes after another test whose change of state it needs."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "state-needed-from-test"


def advice(finding: Finding[None]) -> str:
    """The advice when only the line that writes the state is known."""
    return f"Let a fixture prepare what {finding.where} prepares."


KIND = Kind(
    NAME,
    "State that a test needs from another one",
    Explanation(
        what="A test that fails alone passes after another test, whose change of state it needs.",
        comes_about="A test prepares what a later one depends on: a row, a registered table, a filled cache.",
        example="""
        def test_a_create():
            registry["site"] = Site()

        def test_b_read():
            assert registry["site"]            # there only after test_a_create
        """,
        proved="Short re-runs: the test alone, after the other one, and after it with just that piece of state "
        "removed.",
        to_do="Let a fixture that the test requests prepare the state.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("short re-runs of a few tests find it (kit diagnose --test ID): which tests, which state, which line"),
    advice,
)

"""state-left-by-test: a test that passes alone fails after another test that changed state and did not restore it."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "state-left-by-test"


def advice(finding: Finding[None]) -> str:
    """The advice when only the line that writes the state is known."""
    return f"Restore what {finding.where} changes when the test is over."


KIND = Kind(
    NAME,
    "State that one test leaves for another",
    Explanation(
        what="A test that passes alone fails after another test, which changed a piece of state and did not restore "
        "it.",
        comes_about="A test changes a global, a class attribute, a variable, a cache or a registered handler, and "
        "does not restore it.",
        example="""
        def test_upper_case():
            settings.names["site"] = "NORTH"   # a dictionary of the module, for all tests after it
        """,
        proved="Short re-runs: the test alone, after the other one, and after it with just that piece of state "
        "restored.",
        to_do="Restore the state when the test is over (monkeypatch, or a fixture after its yield).",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("short re-runs of a few tests find it (kit diagnose --test ID): which tests, which state, which line"),
    advice,
)

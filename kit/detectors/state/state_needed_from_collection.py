"""state-needed-from-collection: a test that fails alone passes after another module was collected."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "state-needed-from-collection"


def advice(finding: Finding[None]) -> str:
    """The advice when only the line that writes the state is known."""
    return f"Let the test's own module, or conftest.py, prepare what {finding.where} prepares."


KIND = Kind(
    NAME,
    "State that a test needs from collecting a module",
    Explanation(
        what="A test that fails alone passes once another module has been collected, whose import it needs.",
        comes_about="The import of another test module registers a model, a handler or a setting that this test "
        "depends on.",
        example="""
        # tests/test_models.py imports app.models, so that create_all() in tests/test_api.py knows the tables
        """,
        proved="Short re-runs: the test alone, with the other module collected, and with just that piece of state "
        "removed.",
        to_do="Import what the test needs in the test's own module, or in conftest.py.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("short re-runs of a few tests find it (kit diagnose --test ID): which tests, which state, which line"),
    advice,
)

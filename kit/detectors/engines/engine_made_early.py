"""engine-made-early: a statement whose value is unused makes the engine before the test names its database."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "engine-made-early"


def advice(finding: Finding[None]) -> str:
    """Leave out the statement."""
    return f"Leave out the statement at {finding.where}: nothing uses its value, and it makes the engine too early."


KIND = Kind(
    NAME,
    "A statement that makes the engine too early",
    Explanation(
        what="A statement whose value is not used makes the engine, and a cache or a global keeps it for the test.",
        comes_about="A warm-up call, a check or a logged URL asks for the engine before the test has named its "
        "database; a cache keeps it.",
        example="""
        def test_sites(monkeypatch):
            app.startup_check()                # makes the engine, and a cache keeps it
            monkeypatch.setenv("DATABASE_URL", TEST_URL)
        """,
        proved="A re-run without the statement.",
        to_do="Leave the statement out, or clear the cache after it.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("re-runs try it for every leak whose engine such a statement made"),
    advice,
)

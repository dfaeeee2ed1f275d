"""module-from-elsewhere: a module was imported from another folder than the project's."""

from __future__ import annotations

from kit.analysis.model import Finding
from kit.detectors.kind import Explanation, Kind, Strength, Without, only_by_rerun

NAME = "module-from-elsewhere"


def advice(finding: Finding[None]) -> str:
    """Import the project's own module."""
    return (
        f"Let the tests import the project's own module instead of {finding.file}: set pythonpath in pytest's "
        "configuration (or run python -m pytest), and remove the other folder from PYTHONPATH."
    )


KIND = Kind(
    NAME,
    "A module imported from another folder",
    Explanation(
        what="The module that opened the database, or whose text names it, was imported from another folder, while the "
        "project has a file of its name.",
        comes_about="PYTHONPATH, an installed copy of the project, or the way in which pytest is started puts another "
        "folder first on sys.path.",
        example="""
        $ PYTHONPATH=build/lib pytest          # imports build/lib/app, with other settings
        """,
        proved="A re-run with the project's folder first on sys.path.",
        to_do="Set pythonpath in pytest's configuration, and remove the other folder from PYTHONPATH.",
    ),
    Strength.CAUSE,
    only_by_rerun,
    Without("re-runs try it for every leak whose module has a namesake in the project"),
    advice,
)

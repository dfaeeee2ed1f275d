"""duplicate-module-import: a file is loaded as two modules, and the override's key comes from the wrong one."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.analysis.overrides import Mismatch
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.overrides.shared import KeyAbout, advice, on_keys, rekeyed

NAME = "duplicate-module-import"


def detect(case: Case) -> Iterator[Finding[KeyAbout]]:
    """Which override's key comes from a second module of the dependency's file?"""
    return (finding for _, finding in on_keys(case, NAME, Mismatch.LOADED_TWICE))


KIND = Kind(
    NAME,
    "One file loaded as two modules",
    Explanation(
        what="The key of an override comes from a second module of the file in which the dependency is defined: two "
        "objects from one piece of source, and the override is on the wrong one.",
        comes_about="Two folders of one path are both on sys.path (the project and its src, or pythonpath and "
        "rootdir), and tests import `deps` where the application imports `app.deps`.",
        example="""
        from deps import get_db                # the application imports app.deps
        app.dependency_overrides[get_db] = get_test_db
        """,
        proved="A re-run applies the override to the function of the other module.",
        to_do="Import the module by the name by which the application does.",
    ),
    Strength.CAUSE,
    detect,
    rekeyed,
    advice,
)

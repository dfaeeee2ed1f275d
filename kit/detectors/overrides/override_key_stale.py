"""override-key-stale: a key of dependency_overrides has a dependency's name but is an older or newer object."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.analysis.overrides import Mismatch
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.overrides.shared import KeyAbout, advice, on_keys, rekeyed

NAME = "override-key-stale"


def detect(case: Case) -> Iterator[Finding[KeyAbout]]:
    """Which override's key has the name of a dependency but is another object?"""
    return (finding for _, finding in on_keys(case, NAME, Mismatch.STALE))


KIND = Kind(
    NAME,
    "An override of an object that was created again",
    Explanation(
        what="A key of app.dependency_overrides has the name of a dependency and is another object: the override "
        "never runs.",
        comes_about="The module that defines the dependency was executed again (importlib.reload, a deleted entry of "
        "sys.modules), or the name was rebound, after the route was declared.",
        example="""
        importlib.reload(app.deps)                       # app.main still depends on the old get_db
        app.dependency_overrides[app.deps.get_db] = get_test_db
        """,
        proved="A re-run applies the override to the dependency of that name.",
        to_do="Do not reload the module, or override the object that the route was declared with.",
    ),
    Strength.CAUSE,
    detect,
    rekeyed,
    advice,
)

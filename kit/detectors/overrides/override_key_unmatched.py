"""override-key-unmatched: a key of dependency_overrides is no dependency of its application."""

from __future__ import annotations

from collections.abc import Iterator

from kit.analysis.case import Case
from kit.analysis.model import Finding
from kit.analysis.overrides import Mismatch
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.overrides.shared import KeyAbout, advice, on_keys, rekeyed

NAME = "override-key-unmatched"


def detect(case: Case) -> Iterator[Finding[KeyAbout]]:
    """Which override can never apply because its key is no dependency of the application?"""
    return (finding for _, finding in on_keys(case, NAME, Mismatch.OTHER_OBJECT, Mismatch.UNKNOWN))


KIND = Kind(
    NAME,
    "An override whose key matches no dependency",
    Explanation(
        what="A key of app.dependency_overrides is no dependency of that application, so that the override never runs.",
        comes_about="FastAPI looks an override up by the object in Depends(...), and by no other. A wrapper, an "
        "Annotated alias, a partial, a method of another instance or a function of the same name is another object.",
        example="""
        # app: Depends(Database(url).session)
        app.dependency_overrides[Database(test_url).session] = test_session  # a method of another instance
        """,
        proved="A re-run applies the override to the dependency that was meant.",
        to_do="Override the object that is in Depends(...): import it from where the route imports it.",
    ),
    Strength.CAUSE,
    detect,
    rekeyed,
    advice,
)

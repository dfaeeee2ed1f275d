"""Which databases does the application's own source name, regardless of the tests? Pure."""

from __future__ import annotations

from collections.abc import Iterable
from posixpath import normpath

from kit.analysis.reach import Reach, called_by_tests, is_test_file
from kit.analysis.url_source import leads_to, named_in_files, parts_of, source_of
from kit.evidence.model import Engine, Evidence


def named_by_application(evidence: Evidence, reached: Iterable[Reach]) -> frozenset[str]:
    """The identities of lasting databases that are named by an engine of the application's own, connected or not.

    The URL of such an engine is a literal in the source, or the default of an unset variable: neither the tests nor
    their environment chose it.
    """
    urls = {engine.url for engine in evidence.engines if _is_of_its_own(evidence, engine)}
    return frozenset(
        reach.database.id
        for reach in reached
        if reach.database.lives_on and any(_names(url, reach) for url in urls)
    )


def _is_of_its_own(evidence: Evidence, engine: Engine) -> bool:
    made = evidence.chain(engine)
    if not made or is_test_file(made[0].file) or called_by_tests(made):
        return False
    if source_of(evidence, engine).kind not in ("text", "default"):
        return False
    return not named_in_files(evidence, engine) and not parts_of(evidence, engine, engine.url)


def _names(url: str, reach: Reach) -> bool:
    path = reach.database.path
    if path is None:
        return leads_to(url, reach)
    file = normpath(url.partition(":///")[2].partition("?")[0])
    return path == file or path.endswith(f"/{file}")

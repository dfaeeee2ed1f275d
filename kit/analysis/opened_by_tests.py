"""Did test code open a database, with an engine or connection that test code made?"""

from __future__ import annotations

from kit.analysis.case import Case, Leak
from kit.analysis.model import first
from kit.analysis.reach import IN_TESTS
from kit.analysis.url_source import source_of
from kit.evidence.model import Engine, Frame, SettingsFile, Variable


def by_tests(case: Case, leak: Leak) -> bool:
    """Whether test code both opened the database and made its engine, outside every request."""
    return made_by_tests(case, leak) is not None


def made_by_tests(case: Case, leak: Leak) -> Frame | None:
    """The line of test code that made a leak's engine or connection; None if the application was involved."""
    made = first(case.evidence.chain(leak.engine)) if leak.engine is not None else leak.opener
    if leak.first.how not in IN_TESTS or made is None or leak.opener is None:
        return None
    if leak.engine is not None and _named_by_application(case, leak.engine):
        return None
    return made if case.of_tests(made.file) and case.of_tests(leak.opener.file) else None


def _named_by_application(case: Case, engine: Engine) -> bool:
    """Whether the tests only used the URL from the application's own settings."""
    source = source_of(case.evidence, engine)
    event: Variable | SettingsFile | None = source.written
    if source.written is not None and source.written.op == "inherited":
        event = source.read
    elif source.written is None and engine.files:
        event = next((one for one in case.evidence.settings_files if one.file == engine.files[0][0]), None)
    chain = case.evidence.chain(event) if event is not None else ()
    return bool(chain) and not case.of_tests(chain[0].file)

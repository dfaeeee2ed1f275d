"""Does a relative path lead elsewhere, because the working directory was changed?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kit.evidence import Folder
from kit.findings.case import Case, Leak, reach_facts, tests_said
from kit.findings.model import Finding, fact, first
from kit.probes.places import place


def ask(case: Case) -> Iterator[Finding]:
    """For each leak through a relative path: who changed the folder last, and was that meant for this test?"""
    for leak in case.leaks:
        path, changed = relative_path(leak), _changed(case, leak)
        if path is None or changed is None or changed.test in leak.tests:
            continue
        at = first(case.evidence.chain(changed))
        by = f" in {changed.test}" if changed.test is not None else ""
        yield Finding(
            "working-directory-changed",
            f"{path} is a relative path. {at or 'The program'} changed the working directory to {changed.path}{by} and "
            f"nobody went back: {leak.database.name} answered in {tests_said(leak.tests) or leak.first.phase}.",
            at.file if at else None,
            at.line if at else None,
            (fact(case.evidence, changed, f"working directory changed to {changed.path}"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (("path", path), ("test", changed.test or "")),
        )


def relative_path(leak: Leak) -> str | None:
    """The path of a SQLite file as the program names it, where it depends on the working directory."""
    if leak.database.path is None:
        return None
    named = place(leak.engine.url) if leak.engine is not None else None
    path = named[3].removeprefix("/") if named is not None else leak.first.connection.configured
    return path if path and not os.path.isabs(path) and not path.startswith("file:") else None


def _changed(case: Case, leak: Leak) -> Folder | None:
    """The last change of the working directory before the leak that its test, or who else made it, did not undo."""
    own: dict[str | None, list[Folder]] = {}
    for event in case.evidence.folders:
        if event.process == leak.first.entry.process and event.at_s <= leak.first.connection.at_s:
            own.setdefault(event.test, []).append(event)
    lasting = [events[-1] for events in own.values() if events[0].before != events[-1].path]
    return max(lasting, key=lambda event: event.at_s, default=None)

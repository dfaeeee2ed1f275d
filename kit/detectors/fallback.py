"""The kinds for a leak that no other kind explains: where its URL came from, and what should have replaced it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kit.analysis.case import Case, Leak
from kit.analysis.model import Finding
from kit.detectors.engines import (
    attached_database,
    configured_by_the_tests,
    engine_not_replaced,
    engine_not_used,
)
from kit.detectors.files import settings_file
from kit.detectors.kind import Kind
from kit.detectors.overrides import dependency_not_overridden
from kit.detectors.routes import database_reached
from kit.detectors.sessions import session_kept
from kit.detectors.variables import (
    setting_left_out,
    variable_inherited,
    variable_missing,
    variable_removed,
    variable_set_wrong,
)

# Tried in this order; the first one with a finding is reported. The last one always has a finding.
FALLBACK: tuple[Kind[Any], ...] = (
    settings_file.KIND,
    variable_inherited.KIND,
    variable_set_wrong.KIND,
    setting_left_out.KIND,
    configured_by_the_tests.KIND,
    attached_database.KIND,
    session_kept.KIND,
    dependency_not_overridden.KIND,
    variable_removed.KIND,
    variable_missing.KIND,
    engine_not_replaced.KIND,
    database_reached.KIND,
)
UNUSED: Kind[Any] = engine_not_used.KIND


def of_unexplained(case: Case, leak: Leak) -> Iterator[Finding[Any]]:
    """The findings about a leak that no other kind explains.

    If they do not say why the tests' set-up had no effect, an unused engine of the tests is reported first.
    """
    alone = replace(case, leaks=(leak,))
    for kind in FALLBACK:
        found = tuple(kind.detect(alone))
        if found:
            if not all(kind.settles(finding) for finding in found):
                yield from UNUSED.detect(alone)
            yield from found
            return

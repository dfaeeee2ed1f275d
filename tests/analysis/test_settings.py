"""Settings that the tests change: which of them came too late for what led to production, and which decide nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.detectors.registry import kind_named
from kit.diagnosing.wording import Project
from kit.evidence.model import Evidence, Setting, Text
from tests.analysis.seen_runs import (
    BY_APPLICATION,
    BY_ENGINE,
    BY_TESTS,
    PRODUCTION,
    TEST,
    found,
    leak,
    variable,
    without_engine,
)

OWN, OTHER = f"sqlite:///{PRODUCTION}", f"sqlite:///{TEST}"


def changed(at_s: float = 7.0, **fields: Any) -> Setting:
    """A setting that had held production is given the test database by conftest.py."""
    return Setting(**{
        "op": "changed", "name": "app.settings.url", "key": "url", "before": OWN, "value": OTHER, "at_s": at_s,
        "stack": BY_TESTS, **fields,
    })  # fmt: skip


def kinds(evidence: Evidence, *settings: Setting) -> set[str]:
    """The kinds of what is found in a run in which these settings changed."""
    return {finding.kind for finding in found(replace(evidence, settings=settings))}


def test_a_setting_that_is_changed_once_the_engine_is_made_is_told_with_both_lines() -> None:
    """The finding is at the line of the tests, and names the line that made the engine."""
    (finding,) = found(replace(leak(), settings=(changed(),)))
    assert (finding.kind, finding.where) == ("setting-changed-too-late", "tests/conftest.py:4")
    assert "app.settings.url is set to" in finding.message
    assert "AFTER the engine was created from its old value at app/db.py:5" in finding.message


def test_a_copy_of_its_old_value_is_told_with_what_has_it() -> None:
    """An engine that is made after the change got a value that was copied before it."""
    (finding,) = found(replace(leak(), settings=(changed(at_s=2.0, also=("app.db.URL",)),)))
    assert finding.kind == "setting-changed-too-late"
    assert "AFTER its old value had been copied (app.db.URL still has it)" in finding.message


def test_an_engine_made_after_the_change_is_of_what_holds_the_old_value_then() -> None:
    """Nobody knows that it is a copy: the setting that still names the database is told, with its line."""
    text = Text(name="app.db.own.url", value=OWN, is_held=True, at_s=4.9, stack=BY_ENGINE)
    (finding,) = found(replace(leak(), settings=(changed(at_s=2.0),), texts=(text,)))
    assert finding.kind == "setting-changed-too-late"
    assert "app.db.own.url (app/db.py:5) still held its old value: the engine created at app/db.py:5" in finding.message
    assert "AFTER" not in finding.message
    kind = kind_named(finding.kind)
    assert kind.advice(finding).startswith("Let the tests set app.db.own.url, too")
    assert kind.words.because(finding.about, finding.where, Project()).endswith("still holds its old value")


@pytest.mark.parametrize("literal", ["", "app.db.URL"])
def test_an_engine_whose_text_stands_elsewhere_had_not_read_the_setting(literal: str) -> None:
    """That a setting held the same text does not make it the one that was read."""
    assert "setting-changed-too-late" not in kinds(leak(literal=literal), changed())
    assert "setting-not-used" in kinds(leak(literal=literal), changed())


def test_an_engine_made_of_the_very_setting_had_read_it() -> None:
    """The global whose text the engine was made of is the setting that was changed."""
    assert kinds(leak(literal="app.settings.url"), changed()) == {"setting-changed-too-late"}


def test_an_engine_that_read_a_variable_by_itself_had_not_read_the_setting() -> None:
    """Where the line that makes the engine asks for the variable, a setting of the same value is beside it."""
    directly = leak(
        variable("inherited", "DATABASE_URL", 0.0, BY_ENGINE, OWN),
        variable("read", "DATABASE_URL", 4.9, BY_ENGINE, OWN),
        variables=("DATABASE_URL",),
    )
    assert "setting-changed-too-late" not in kinds(directly, changed())
    by_settings = leak(
        variable("inherited", "DATABASE_URL", 0.0, BY_ENGINE, OWN),
        variable("read", "DATABASE_URL", 1.0, BY_APPLICATION, OWN),
        variables=("DATABASE_URL",),
    )
    assert "setting-changed-too-late" in kinds(by_settings, changed())
    assert "setting-changed-too-late" not in kinds(by_settings, changed(at_s=2.0))


def test_a_setting_that_never_held_what_was_reached_decides_nothing() -> None:
    """A global that was empty before and names a database which the application does not reach is told as such."""
    (finding, *_) = found(replace(leak(), settings=(changed(before=None),)))
    assert finding.kind == "setting-not-used"
    assert "the application does not reach that database" in finding.message


@pytest.mark.parametrize(
    "settings",
    [
        (changed(), changed(at_s=8.0, op="restored", before=OTHER, value=OWN)),
        (changed(at_s=9.5),),
        (changed(value=OWN, before=OTHER),),
        (changed(stack=BY_APPLICATION),),
        (changed(process=1),),
    ],
    ids=["put back before", "changed after", "to the same database", "by the application", "in another process"],
)
def test_what_was_not_in_force_is_not_told(settings: tuple[Setting, ...]) -> None:
    """A change that pytest has undone, that came after it, or that the tests did not make explains nothing."""
    assert not any(kind.startswith("setting-") for kind in kinds(leak(), *settings))


@pytest.mark.parametrize(("before", "is_late"), [(PRODUCTION, True), (OWN, True), (TEST, False)])
def test_a_connection_without_an_engine_is_compared_with_the_setting_itself(before: str, is_late: bool) -> None:
    """A setting that held what a driver was given, as a path or a URL, was read for it."""
    assert ("setting-changed-too-late" in kinds(without_engine(leak()), changed(before=before))) is is_late

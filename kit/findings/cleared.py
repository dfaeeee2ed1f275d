"""Was an override taken away, or left behind, by a test that was not the one which needed it?"""

from __future__ import annotations

import os
from collections.abc import Iterator

from kit.evidence import Frame, Override
from kit.findings.case import Case, Leak, reach_facts, tests_said
from kit.findings.model import Finding, fact, first
from kit.findings.reach import Reach


def ask(case: Case) -> Iterator[Finding]:
    """For each leak: did an override of its dependency stand before, and who removed it? Or did it outstay its test?"""
    for leak in case.leaks:
        if leak.first.how == "dependency":
            told = list(_cleared(case, leak))
            yield from told or _only_elsewhere(case, leak)
        elif leak.first.how == "override":
            yield from _left_behind(case, leak)


def _history(case: Case, reach: Reach) -> list[Override]:
    """What became of the override of a reach's dependency, until then."""
    dependency = reach.dependency
    return [
        change
        for change in case.evidence.overrides
        if dependency is not None
        and change.key == dependency.callable
        and change.process == reach.entry.process
        and change.at_s <= reach.entry.at_s
    ]


def _cleared(case: Case, leak: Leak) -> Iterator[Finding]:
    history = _history(case, leak.first)
    if not history or history[-1].op != "removed":
        return
    removed = history[-1]
    was_set = next((change for change in reversed(history) if change.op != "removed"), None)
    if was_set is None:
        return
    if _by_its_own_setter(case, was_set, removed):
        if removed.test is not None and removed.test == leak.first.test:
            yield _taken_back(case, leak, was_set, removed)
        return
    by, setter = first(case.evidence.chain(removed)), first(case.evidence.chain(was_set))
    assert leak.first.dependency is not None
    after = tests_said(leak.tests) if leak.tests else "what came"
    said = (
        f"app.dependency_overrides[{leak.first.dependency.name}], set by {_who(was_set)} "
        f"({setter}), was removed by {_who(removed)} ({by}); {after} after it ran against {leak.database.name}."
    )
    yield Finding(
        "override-cleared-by-other-test",
        said,
        by.file if by else None,
        by.line if by else None,
        (
            fact(case.evidence, was_set, "override set"),
            fact(case.evidence, removed, "override removed"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
        (("test", removed.test or ""), ("setter", was_set.test or "")),
    )


def _taken_back(case: Case, leak: Leak, was_set: Override, removed: Override) -> Finding:
    """Who set the override for a test took it back before that test came to need it."""
    by, setter = first(case.evidence.chain(removed)), first(case.evidence.chain(was_set))
    assert leak.first.dependency is not None
    return Finding(
        "override-taken-back",
        f"app.dependency_overrides[{leak.first.dependency.name}], set by {_who(was_set)} ({setter}), was taken back "
        f"({by}) before {removed.test} asked for it: {leak.database.name} answered.",
        by.file if by else None,
        by.line if by else None,
        (
            fact(case.evidence, was_set, "override set"),
            fact(case.evidence, removed, "override taken back"),
            *reach_facts(case, leak),
        ),
        (leak.database.id,),
        leak.tests,
    )


def _only_elsewhere(case: Case, leak: Leak) -> Iterator[Finding]:
    """The override is a fixture's, and the fixture is none of the leak's tests."""
    dependency = leak.first.dependency
    sets = [
        change
        for change in case.evidence.overrides
        if dependency is not None
        and change.key == dependency.callable
        and change.op != "removed"
        and change.fixture is not None
        and change.test is not None
        # One of a wider scope is set in one test for many, of those that it reaches.
        and (change.scope == "function" or _out_of_reach(first(case.evidence.chain(change)), leak))
    ]
    if not sets or dependency is None or any(change.test in leak.tests for change in sets):
        return
    setter = first(case.evidence.chain(sets[0]))
    others = dict.fromkeys(change.test for change in sets if change.test is not None)
    why, to = _why_not_there(setter, leak)
    yield Finding(
        "override-not-in-test",
        f"{_who(sets[0])} ({setter}) overrides {dependency.name} in {tests_said(others)}, and not in "
        f"{tests_said(leak.tests)}: {why}. {leak.database.name} answered.",
        setter.file if setter else None,
        setter.line if setter else None,
        (fact(case.evidence, sets[0], "override set"), *reach_facts(case, leak)),
        (leak.database.id,),
        leak.tests,
        (
            ("fixture", sets[0].fixture or ""),
            ("key", dependency.name),
            ("setter", sets[0].test or ""),
            ("move_to", to),
        ),
    )


def _out_of_reach(setter: Frame | None, leak: Leak) -> bool:
    """Tell whether a fixture's file is a conftest.py, or a module, that counts for none of a leak's tests."""
    if setter is None or not leak.tests:
        return False
    folder, _, name = setter.file.rpartition("/")
    reached = f"{folder}/" if folder and name == "conftest.py" else "" if name == "conftest.py" else f"{setter.file}::"
    return not any(test.startswith(reached) for test in leak.tests)


def _why_not_there(setter: Frame | None, leak: Leak) -> tuple[str, str]:
    """Why the leak's tests do without a fixture, and the file from which it would reach them."""
    if setter is None or not _out_of_reach(setter, leak):
        return "the fixture is not asked for there, or one nearer by has its name", ""
    folder = setter.file.rpartition("/")[0]
    files = [test.partition("::")[0] for test in leak.tests]
    shared = os.path.commonpath([folder, *(os.path.dirname(file) for file in files)])
    to = f"{shared}/conftest.py" if shared else "conftest.py"
    if setter.file.endswith("conftest.py"):
        return f"{setter.file} counts for the tests below {folder} alone, and {files[0]} is not one of them", to
    return f"the fixture is {setter.file}'s own, and {files[0]} has none of it", to


def _by_its_own_setter(case: Case, was_set: Override, removed: Override) -> bool:
    """A fixture that takes away what it has set itself is in order."""
    setter, remover = case.evidence.chain(was_set), case.evidence.chain(removed)
    same = bool(setter and remover) and (setter[0].file, setter[0].function) == (remover[0].file, remover[0].function)
    return same and was_set.test == removed.test


def _left_behind(case: Case, leak: Leak) -> Iterator[Finding]:
    outlived: dict[int, tuple[Override, list[str]]] = {}
    for reach in leak.reaches:
        history = _history(case, reach)
        if not history or history[-1].op == "removed" or history[-1].test in (None, reach.test):
            continue
        if reach.test and history[-1].scope in (None, "function"):  # a fixture of a wider scope is meant to last
            outlived.setdefault(id(history[-1]), (history[-1], []))[1].append(reach.test)
    for was_set, tests in outlived.values():
        setter = first(case.evidence.chain(was_set))
        assert leak.first.dependency is not None
        yield Finding(
            "override-leaked",
            f"app.dependency_overrides[{leak.first.dependency.name}], set by {_who(was_set)} ({setter}), was never "
            f"taken back; {tests_said(dict.fromkeys(tests))} after it got {leak.database.name} from it.",
            setter.file if setter else None,
            setter.line if setter else None,
            (fact(case.evidence, was_set, "override set"), *reach_facts(case, leak)),
            (leak.database.id,),
            leak.tests,
            (("test", was_set.test or ""),),
        )


def _who(change: Override) -> str:
    if change.fixture is not None:
        return f"fixture {change.fixture}"
    return change.test or ("the program" if change.phase == "start" else f"code of the {change.phase} phase")

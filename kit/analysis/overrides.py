"""Which overrides were set, and does each match a dependency of its application?"""

from __future__ import annotations

import collections.abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from kit.analysis.model import Fact, fact, location
from kit.evidence.model import Callable, Evidence, Override


class Mismatch(Enum):
    """Why a key matches no dependency of its application."""

    UNKNOWN = "nothing resembles it"
    OTHER_APPLICATION = "it is a dependency of another application"
    OTHER_OBJECT = "another object resembles it"
    LOADED_TWICE = "its file is loaded as two modules"
    STALE = "another object has its name"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of an application's overrides. `nearest` is the dependency that was probably meant, `why` the explanation.

    `known_as` maps a callable to the global (module.name) that holds it under another name than its own.
    """

    callable: Callable
    app: str | None
    matched: bool
    changes: tuple[Override, ...]
    twin: Callable | None = None
    mismatch: Mismatch = Mismatch.UNKNOWN
    why: str | None = None
    known_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the overridden callable."""
        return self.known_as.get(self.callable.callable, self.callable.name)

    @property
    def nearest(self) -> str | None:
        """The name of the dependency that was probably meant; None if none is similar."""
        return self.known_as.get(self.twin.callable, self.twin.name) if self.twin is not None else None


def keys(evidence: Evidence) -> tuple[Key, ...]:
    """Every key that was set, once per application."""
    names = {known.callable: known for known in evidence.callables}
    pool: dict[tuple[str, str | None], list[Override]] = {}
    for change in evidence.overrides:
        pool.setdefault((change.key, change.app), []).append(change)
    known_as = dict(pair for check in evidence.override_checks for pair in check.known_as)
    found = [
        replace(_key(evidence, names[key], app, tuple(changes), known_as), known_as=known_as)
        for (key, app), changes in pool.items()
        if key in names
    ]
    return tuple(_alike(found))


def _alike(found: list[Key]) -> Iterator[Key]:
    """Merge keys that differ only in the object, because a fixture may make its key anew for each test."""
    pool: dict[tuple[object, ...], list[Key]] = {}
    for key in found:
        pool.setdefault((key.name, key.callable.file, key.callable.line, key.app, key.matched), []).append(key)
    for alike in pool.values():
        yield replace(alike[0], changes=tuple(change for key in alike for change in key.changes))


def executed_again(evidence: Evidence, twin: Callable) -> Iterator[Fact]:
    """The events that executed the file of a dependency again, as facts."""
    for event in evidence.modules:
        if event.file == twin.file and event.file is not None:
            how = "reloaded" if event.reloaded else f"executed again, as {event.name}"
            yield fact(evidence, event, f"{event.file} {how} (execution {event.times})")


def _key(
    evidence: Evidence,
    known: Callable,
    app: str | None,
    changes: tuple[Override, ...],
    known_as: Mapping[str, str],
) -> Key:
    if _matches(evidence, known, app):
        return Key(known, app, True, changes)
    elsewhere = _declared(evidence)
    if known.callable in elsewhere:  # a key of another application has a finding of its own
        of_another = "It is a dependency of another application."
        return Key(known, app, False, changes, None, Mismatch.OTHER_APPLICATION, of_another)
    candidates = [twin for twin in evidence.callables if twin.callable in elsewhere and twin.callable != known.callable]
    for mismatch, like, why in _LIKENESSES:
        twin = next((twin for twin in candidates if like(known, twin)), None)
        if twin is not None:
            again = next(executed_again(evidence, twin), None)
            if mismatch is Mismatch.STALE and again is None and _explain_twins(known) is not None:
                mismatch, why = Mismatch.OTHER_OBJECT, _another_object
            said = why(known, replace(twin, name=known_as.get(twin.callable, twin.name)))
            if mismatch is Mismatch.STALE and again is not None:
                said += f" {location(again.file, again.line)} caused this: {again.what}."
            return Key(known, app, False, changes, twin, mismatch, said)
    return Key(known, app, False, changes)


def _explain_twins(known: Callable) -> str | None:
    """Why two objects can have the same name and source although their file was executed once; None if unknown."""
    if ".<locals>." in known.name:
        made_by = known.name.partition(".<locals>.")[0].rpartition(".")[2]
        return f"each call of {made_by}() makes a new function"
    if known.type == "method":
        return f"the same method of another {known.name.rpartition('.')[0].rpartition('.')[2]} is a different key"
    if known.type in ("instance", "partial"):
        return f"each {known.type} is a different key"
    return None


def _another_object(known: Callable, twin: Callable) -> str:
    return f"The application depends on `{twin.name}`, which is another object: {_explain_twins(known)}."


def _matches(evidence: Evidence, known: Callable, app: str | None) -> bool:
    """Whether a key was ever among its application's dependencies; unchecked keys count as matching."""
    checks = [check for check in evidence.override_checks if check.app == app]
    if any(known.callable in check.matched for check in checks):
        return True
    return not any(known.callable in check.missed for check in checks)


def _declared(evidence: Evidence) -> set[str]:
    """The dependencies of all applications, from their described routes and from requests."""
    described = {call for graph in evidence.graphs for route in graph.routes for call in route.calls}
    return described | {declared for event in evidence.dependencies for declared, _ in event.supplied_by}


def _module(known: Callable) -> str:
    return known.name.rpartition(".")[0]


def _last_name(known: Callable) -> str:
    return known.name.rpartition(".")[2]


def _same_text(known: Callable, twin: Callable) -> bool:
    return known.file is not None and (known.file, known.line) == (twin.file, twin.line)


def _inner(known: Callable, twin: Callable) -> bool:
    return known.callable in (twin.inner,) or twin.callable in (known.inner,)


def _kind_of(known: Callable) -> str:
    words = {"annotated": "an Annotated alias", "instance": "an instance", "partial": "a functools.partial"}
    return words.get(known.type, f"a {known.type}")


def _of_inner(known: Callable) -> str:
    return "that function itself" if known.type == "function" else f"{_kind_of(known)} of the same function"


_Like = collections.abc.Callable[[Callable, Callable], bool]
_Why = collections.abc.Callable[[Callable, Callable], str]
_LIKENESSES: tuple[tuple[Mismatch, _Like, _Why], ...] = (
    (
        Mismatch.OTHER_OBJECT,
        _inner,
        lambda known, twin: (
            f"The dependency is `{twin.name}` ({_kind_of(twin)}), and the key is {_of_inner(known)}. The key must be "
            "the object that is in Depends(...)."
        ),
    ),
    (
        Mismatch.OTHER_OBJECT,
        lambda known, twin: known.name == twin.name and known.type != twin.type,
        lambda known, twin: (
            f"The key is {_kind_of(known)}, the dependency `{twin.name}` is {_kind_of(twin)}. The key must be the "
            "object that is in Depends(...)."
        ),
    ),
    (
        Mismatch.LOADED_TWICE,
        lambda known, twin: _same_text(known, twin) and known.name != twin.name,
        lambda known, twin: (
            f"A dependency with the same file and line is registered as `{twin.name}`: the file is loaded twice, as "
            f"`{_module(twin)}` and `{_module(known)}`. Import it as `{_module(twin)}`."
        ),
    ),
    (
        Mismatch.STALE,
        lambda known, twin: known.name == twin.name,
        lambda known, twin: (
            f"The application depends on another object of the same name ({location(twin.file, twin.line)}): the "
            "module was executed again, or the name was rebound, after the route was declared."
        ),
    ),
    (
        Mismatch.OTHER_OBJECT,
        lambda known, twin: _last_name(known) == _last_name(twin) or known.file == twin.file is not None,
        lambda known, twin: (
            f"The nearest dependency is `{twin.name}` ({location(twin.file, twin.line)}). The key must be the object "
            "that is in Depends(...)."
        ),
    ),
)

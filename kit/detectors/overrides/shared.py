"""Shared by the kinds about an override's key: findings on unmatched keys, and the right key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case
from kit.analysis.model import Fact, Finding, fact, first, location
from kit.analysis.overrides import Key, Mismatch, executed_again, keys
from kit.detectors.planning.candidate import Candidate, diff
from kit.detectors.planning.context import Context
from kit.detectors.planning.shared import override_applied
from kit.evidence.model import Callable, Evidence, Override

_ENDPOINTS_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class KeyAbout:
    """The key of an override, and the dependency that was probably meant ("" if none is similar)."""

    key: str
    to: str


def on_keys(case: Case, kind: str, *mismatches: Mismatch) -> Iterator[tuple[Key, Finding[KeyAbout]]]:
    """The keys that can never apply for one of these reasons, each with its finding."""
    for key in keys(case.evidence):
        if key.matched or key.mismatch not in mismatches:
            continue
        if key.twin is None and not any(leak.first.how == "dependency" for leak in case.leaks):
            continue
        change = next((change for change in key.changes if change.op != "removed"), key.changes[0])
        set_at = first(case.evidence.chain(change))
        where = f" ({location(key.callable.file, key.callable.line)})" if key.callable.file else ""
        application = _application(case.evidence, key.app)
        message = f"override key `{key.name}`{where} matches no dependency of {application}."
        yield key, Finding(
            kind,
            f"{message} {key.why}" if key.why else message,
            set_at.file if set_at else None,
            set_at.line if set_at else None,
            KeyAbout(key.name, key.nearest or ""),
            tuple(_facts(case.evidence, key, change)),
            databases=tuple(dict.fromkeys(leak.database.id for leak in case.leaks)),
            tests=tuple(dict.fromkeys(test for leak in case.leaks for test in leak.tests)),
        )


def _facts(evidence: Evidence, key: Key, change: Override) -> Iterator[Fact]:
    yield fact(evidence, change, f"override set for {key.name}")
    if key.twin is not None:
        yield Fact(f"the dependency {key.nearest} is defined here", key.twin.file, key.twin.line)
        yield from executed_again(evidence, key.twin)
        yield from _depending(evidence, key.twin)


def _depending(evidence: Evidence, dependency: Callable) -> Iterator[Fact]:
    """The endpoints of some routes that have a dependency: there is its Depends(...), or a step on the way to it."""
    ids = {
        route.endpoint: None
        for graph in evidence.graphs
        for route in graph.routes
        if dependency.callable in route.calls and route.endpoint is not None
    }
    endpoints = [known for known in evidence.callables if known.callable in ids and known.file]
    for endpoint in endpoints[:_ENDPOINTS_AT_MOST]:
        yield Fact(f"{endpoint.name} depends on it", endpoint.file, endpoint.line)


def _application(evidence: Evidence, app: str | None) -> str:
    made = next((known for known in evidence.apps if known.app == app), None)
    frame = first(evidence.chain(made)) if made is not None else None
    return f"the application made at {frame.file}:{frame.line}" if frame is not None else "this application"


def rekeyed(finding: Finding[KeyAbout], context: Context) -> Iterator[Candidate]:
    """Apply the override to the dependency that was meant."""
    key, to = finding.about.key, finding.about.to or _supplied_by(finding, context)
    if to:
        target = to if to != key else "the object of that name in Depends(...)"
        label = f"with the override of {key} applied to {target}"
        yield override_applied(finding, key, to, label, _import_fix(finding, context, key, to))


def _supplied_by(finding: Finding[KeyAbout], context: Context) -> str:
    """The dependency that supplied a leak of the finding; "" if there is none."""
    return next(
        (
            leak.first.dependency.name
            for leak in context.case.leaks
            if leak.database.id in finding.databases and leak.first.dependency and leak.first.override is None
        ),
        "",
    )


def _import_fix(finding: Finding[KeyAbout], context: Context, key: str, to: str) -> str:
    (module, _, name), (wanted, _, other) = key.rpartition("."), to.rpartition(".")
    source = context.text_of(finding.file or "") or "" if name == other else ""
    for number, line in enumerate(source.splitlines(), 1):
        if module != wanted and line.split()[:2] in (["from", module], ["import", module]):
            return diff(finding.file, number, line, line.replace(module, wanted, 1))
    return right_key(key, to)


def advice(finding: Finding[KeyAbout]) -> str:
    """Override the object that is in Depends(...)."""
    if not finding.about.to:
        key = finding.about.key
        return f"At {finding.where} override the object that is in Depends(...), instead of {key}."
    return right_key(finding.about.key, finding.about.to)


def right_key(key: str, to: str) -> str:
    """The advice which object to override instead of an unmatched key."""
    if key == to:
        return (
            f"Override the object that is in Depends(...), not another {key}: import it from where the route has it, "
            "and give it a name there if it has none."
        )
    return f"Override {to}, the object that is in Depends(...), instead of {key}."

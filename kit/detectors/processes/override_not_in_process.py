"""override-not-in-process: a process that answers the tests does not have the override that they set in their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.case import Case, Leak, of_leak
from kit.analysis.model import Fact, Finding, fact, first, location
from kit.analysis.override_in_process import Lacking, lacking
from kit.analysis.override_lifetime import author_of
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.allowed_databases import allowed_url
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.evidence.model import Child, Fork
from kit.probes.interventions.connections import RedirectEngine

NAME = "override-not-in-process"


@dataclass(frozen=True, slots=True)
class About:
    """The dependency (module.name), where its override is set, and how the process came about.

    `start` is fork, spawn, or "" for a process that the tests did not start.
    """

    dependency: str
    set_at: str
    start: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through a dependency: does another process have an override of it in effect at that time?"""
    for leak in case.leaks:
        found = lacking(case, leak)
        if found is not None:
            yield _finding(case, leak, found)


def _finding(case: Case, leak: Leak, found: Lacking) -> Finding[About]:
    evidence, dependency = case.evidence, found.reach.dependency
    assert dependency is not None
    set_at = first(evidence.chain(found.change))
    started = first(evidence.chain(found.start)) if found.start is not None else None
    at, where = started or set_at, location(set_at.file, set_at.line) if set_at else "the tests"
    how = "fork" if isinstance(found.start, Fork) else "spawn" if started is not None else ""
    led_to = f" (to {found.led_to.database.name} there)" if found.led_to is not None else ""
    message = (
        f"{leak.database.name} answered in another process than the tests', {_process(case, found)}. The override of "
        f"{dependency.name} is set at {where}{led_to}, by {author_of(found.change)}, in the tests' process only: "
        f"{_WHY[how].format(where=where)}."
    )
    facts = (
        fact(evidence, found.change, f"override set for {dependency.name} in the tests' process"),
        *([fact(evidence, found.start, "the other process was started")] if found.start is not None else ()),
        Fact(f"{dependency.name} supplied the session there, without an override", dependency.file, dependency.line),
    )
    return of_leak(case, leak, NAME, message, at, About(dependency.name, where, how), facts)


_WHY = {
    "fork": "the other process was forked before that, and has the overrides of that moment",
    "spawn": "the other process is an interpreter of its own, which imports the application again, without overrides",
    "": "the other process has an application of its own, without overrides",
}


def _process(case: Case, found: Lacking) -> str:
    start = found.start
    at = first(case.evidence.chain(start)) if start is not None else None
    if start is None or at is None:
        argv = case.evidence.processes[found.reach.entry.process].argv
        return f"which the tests did not start ({' '.join(argv)[:_SHOWN]})"
    within = f" in {start.test}" if start.test is not None else ""
    program = f" ({start.program})" if isinstance(start, Child) else ""
    return f"which {location(at.file, at.line)} starts{within}{program}"


_SHOWN = 60  # characters of a command line


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Give that dependency, in that process alone, the tests' database; only if the run reached it."""
    dependency = finding.about.dependency
    mine = [leak for leak in context.leaks_of(finding) if _name(leak) == dependency]
    there = allowed_url(context, _url(mine[0])) if mine else ""
    if there:
        yield Candidate(
            finding,
            f"with the tests' database supplied by {dependency} in the process that lacks its override",
            (RedirectEngine(sites=context.sites_of(mine), there=there, lacks=dependency),),
            advice(finding),
        )


def _name(leak: Leak) -> str:
    return leak.first.dependency.name if leak.first.dependency is not None else ""


def _url(leak: Leak) -> str:
    return leak.engine.url if leak.engine is not None else leak.first.connection.configured


def advice(finding: Finding[About]) -> str:
    """Set the override where the process has it, or configure the process itself."""
    about = finding.about
    if about.start == "fork":
        return (
            f"Start the process of {finding.where} after the override of {about.dependency} is set ({about.set_at}): a "
            "fixture that starts it can request the one that sets the override."
        )
    where = f"the process of {finding.where}" if about.start else "the other process"
    return (
        f"Give {where} the test database by something that it reads itself (a variable that is set before it starts), "
        f"or set the override of {about.dependency} in the function that it runs: that of {about.set_at} exists in the "
        "tests' process only."
    )


KIND = Kind(
    NAME,
    "An override that another process does not have",
    Explanation(
        what="The tests set an override in their own process, and another process serves the request: a server or a "
        "worker, whose application has no override.",
        comes_about="app.dependency_overrides is a dictionary in the memory of one process. A process that is spawned "
        "imports the application again, and one that was forked has the overrides of the moment of the fork.",
        example="""
        app.dependency_overrides[get_db] = get_test_db

        server = multiprocessing.get_context("spawn").Process(target=uvicorn.run, args=("app.main:app",))
        server.start()                         # imports app.main again, without the override
        """,
        proved="A re-run in which that dependency, in that process alone and only where it has no override, supplies a "
        "session on the tests' database.",
        to_do="Give the process the test database by a variable, set the override in the function that it runs, or "
        "start a forked process after the override is set.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="another process answers, which does not have the tests' override ({where})",
)

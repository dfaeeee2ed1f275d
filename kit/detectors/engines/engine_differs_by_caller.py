"""engine-differs-by-caller: one line makes the tests' engine for one caller, and another engine for a second caller."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kit.analysis.callers import count_shared_frames, diverging_caller
from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Finding, fact
from kit.analysis.reach import Reach
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate
from kit.detectors.planning.context import Context
from kit.probes.interventions.connections import RedirectEngine

NAME = "engine-differs-by-caller"


@dataclass(frozen=True, slots=True)
class About:
    """The call stack of the engine, innermost first, its URL, and the URL of the other caller's engine."""

    lines: tuple[tuple[str, int], ...]
    url: str
    to: str


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak through an engine: did the line that made it make an allowed engine for another caller?"""
    for leak in case.leaks:
        other = _of_another_caller(case, leak)
        if leak.engine is None or other is None or other.engine is None:
            continue
        mine, theirs = case.evidence.chain(leak.engine), case.evidence.chain(other.engine)
        depth = count_shared_frames(mine, theirs)
        made, caller, called = mine[0], mine[depth], theirs[depth]
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} answered {within(leak.tests)}: {made.file}:{made.line} makes its engine when called "
            f"from {caller.file}:{caller.line}, and one of {other.database.name} when called from "
            f"{called.file}:{called.line}. The second call passes the tests' configuration, the first does not.",
            caller,
            About(tuple((frame.file, frame.line) for frame in mine[: depth + 1]), leak.engine.url, other.engine.url),
            (fact(case.evidence, other.engine, f"engine of {other.database.name} made"),),
        )


def _of_another_caller(case: Case, leak: Leak) -> Reach | None:
    """The allowed reach through an engine that the same line in the same process made for another caller."""
    wrong = {one.database.id for one in case.leaks}
    return next(
        (
            reach
            for reach in case.reached
            if reach.database.id not in wrong
            and case.allowed.judge(reach.database) is not False
            and diverging_caller(case.evidence, leak.first, reach) is not None
        ),
        None,
    )


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Redirect the engine of this caller alone to the database of the other caller."""
    about = finding.about
    led = RedirectEngine(about.lines, of=about.url, to=about.to)
    label = f"with the engine of {finding.where} redirected to the other caller's database"
    yield Candidate(finding, label, (led,), advice(finding))


def advice(finding: Finding[About]) -> str:
    """Pass the configuration that the other caller passes."""
    made = ":".join(map(str, finding.about.lines[0]))
    return (
        f"At {finding.where} pass {made} the tests' configuration, as the other caller does, or use the application "
        "that exists already."
    )


KIND = Kind(
    NAME,
    "An engine that one caller makes without the tests' configuration",
    Explanation(
        what="The application makes its engine in a function that takes the database as an argument, and one of its "
        "callers does not pass it.",
        comes_about="A fixture makes a second application, or calls a command that makes one, without the "
        "configuration of the tests.",
        example="""
        def init_db(testing):
            create_app("test.cfg" if testing else "app.cfg")
            app = create_app()                  # the second one: without the tests' configuration
        """,
        proved="A re-run redirects the engine of that caller alone to the other caller's database.",
        to_do="Pass the configuration there, too, or use the first application.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    because="{where} makes an engine without the tests' configuration",
)

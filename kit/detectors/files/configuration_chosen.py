"""configuration-chosen: an option of the command chooses the file or the value that names the database."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from kit.analysis.case import Case, Leak, of_leak, within
from kit.analysis.model import Fact, Finding, fact, first, location
from kit.analysis.options import Option, options_of
from kit.analysis.reach import MODULE
from kit.analysis.url_source import leads_to, url_source_of
from kit.detectors.files import settings_file
from kit.detectors.kind import Explanation, Kind, Strength
from kit.detectors.planning.candidate import Candidate, TextOf
from kit.detectors.planning.context import Context
from kit.detectors.words import Sources, Words, possible
from kit.evidence.model import Frame
from kit.probes.interventions.base import Intervention
from kit.probes.interventions.options import OwnConfiguration, WithoutOption

NAME = "configuration-chosen"
_OF_PYTEST = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_OF_OTHERS = ("alembic.ini", ".env")
_SETTINGS = (".ini", ".cfg", ".toml", ".env", ".conf", ".json", ".yml", ".yaml", ".properties")
_IDLE = re.compile(  # settings of pytest and its plugins that lead to no database
    r"(addopts\s*=\s*(-[qvxsl]+|-r\w+|--tb=\w+|\s)*$|testpaths|python_(files|classes|functions)|markers|filterwarnings|"
    r"minversion|xfail_strict|cache_dir|junit_\w+|log_\w+|console_output_style|asyncio_\w+|timeout\w*|norecursedirs)"
)


@dataclass(frozen=True, slots=True)
class About:
    """The option, and the name that the chosen file, or the option itself, gives a value to ("" if unknown).

    `carried` are the lines that only pass the value on: what else changes it there is no cause of its own. `lacks` is
    the chosen file if it is the one that does not give the value, "" otherwise. `value` is what its line gives, as the
    evidence shows it.
    """

    option: Option
    name: str
    carried: tuple[tuple[str, int], ...] = ()
    lacks: str = ""
    value: str = ""


def detect(case: Case) -> Iterator[Finding[About]]:
    """For each leak: does an option name the file with its URL, its URL, or the plugin that sets its variable?"""
    for leak in case.leaks:
        found = next(chain(_by_file(case, leak), _by_value(case, leak), _by_plugin(case, leak)), None)
        if found is not None:
            yield found


def _by_file(case: Case, leak: Leak) -> Iterator[Finding[About]]:
    evidence = case.evidence
    for file, line, name, value in settings_file.lines_of(case, leak):
        readers = {event.process for event in evidence.settings_files if event.file == file}
        for option in (one for process in sorted(readers) for one in options_of(evidence, process)):
            if option.names(file) and not _is_first_choice(option, file):
                yield of_leak(
                    case,
                    leak,
                    NAME,
                    f"{leak.database.name} answered {within(leak.tests)}: its URL comes from {name} in {file}:{line}, "
                    f"the file that the option {option.given} chooses.",
                    Frame(file, line, MODULE),
                    About(option, name, _carried(case, leak), value=value or ""),
                    (Fact(f"{name}={value}", file, line),),
                )


def _by_value(case: Case, leak: Leak) -> Iterator[Finding[About]]:
    for option in options_of(case.evidence, leak.first.entry.process):
        name, equals, value = option.value.partition("=")
        bare = option.value if not equals or "://" in name else value
        if not leads_to(bare, leak.first):
            continue
        carried = _carried(case, leak)
        at = first(leak.first.chain) if not carried else Frame(*carried[0], MODULE)
        yield of_leak(
            case,
            leak,
            NAME,
            f"{leak.database.name} answered {within(leak.tests)}: the option {option.given} names it.",
            at,
            About(option, "", carried),
        )


def _by_plugin(case: Case, leak: Leak) -> Iterator[Finding[About]]:
    evidence, source = case.evidence, url_source_of(case.evidence, leak.first)
    if source.written is None or source.written.op == "inherited":
        return
    for option in options_of(evidence, source.written.process):
        file = _module(option)
        at = next((frame for frame in evidence.chain(source.written) if file and frame.file == file), None)
        if at is not None:
            yield of_leak(
                case,
                leak,
                NAME,
                f"{leak.database.name} answered {within(leak.tests)}: its URL comes from {source.named}, which the "
                f"plugin of the option {option.given} sets at {location(at.file, at.line)}.",
                at,
                About(option, source.variable or "", _carried(case, leak)),
                (fact(evidence, source.written, f"{source.variable}={source.written.value}"),),
            )


def _carried(case: Case, leak: Leak) -> tuple[tuple[str, int], ...]:
    """The lines that set the leak's variable during the run."""
    written = url_source_of(case.evidence, leak.first).written
    chain = case.evidence.chain(written) if written is not None and written.op != "inherited" else ()
    return tuple((frame.file, frame.line) for frame in chain if not frame.file.startswith("site-packages/"))[:1]


def _is_first_choice(option: Option, file: str) -> bool:
    """Whether pytest would have chosen the file without the option."""
    return option.names_configuration and file == _OF_PYTEST[0]


def _module(option: Option) -> str:
    """The file of the plugin that -p loads; "" if the option loads none of the project's."""
    loads = option.of_pytest and option.flag == "-p" and not option.value.startswith("no:")
    return f"{option.value.replace('.', '/')}.py" if loads else ""


def interventions(finding: Finding[About], context: Context) -> Iterator[Candidate]:
    """Run the command without the option; if the project's own file leads there, too, the line itself is the cause."""
    about = finding.about
    yield _without(finding, about.option, advice(finding))
    if about.value and finding.file and finding.line:
        there = settings_file.About(about.name, finding.file, finding.line, about.value)
        line = Finding(settings_file.NAME, finding.message, finding.file, finding.line, there)
        yield from settings_file.interventions(line, context)


def of_options(leak: Leak, context: Context) -> Iterator[Candidate]:
    """Without each option that chooses a file of the project which may lead to the leak, as far as is known."""
    if context.found(NAME, leak) is not None:
        return
    evidence = context.case.evidence
    command = (number for number, _ in enumerate(evidence.processes))
    options = (one for process in command for one in options_of(evidence, process))
    for option in dict.fromkeys(options):
        file = _chosen_file(option, context.text_of)
        if file:
            yield _without(found := _of_option(leak, context, option, file), option, advice(found))


def _of_option(leak: Leak, context: Context, option: Option, file: str) -> Finding[About]:
    """What an option may change by choosing a file: the one line that leads elsewhere, if only one can."""
    own = next((name for name in own_files(option) if name != file and context.text_of(name) is not None), "")
    chosen, left = _settings(context.text_of(file) or ""), _settings(context.text_of(own) or "") if own else {}
    apart = [line for line in chosen if chosen[line] not in left.values()]
    lacking = [line for line in left if _name_at(left[line]) not in map(_name_at, chosen.values())]
    missing = {event.name for event in context.case.evidence.variables if event.op == "missing"}
    unset = [line for line in lacking if _name_at(left[line]) in missing]
    said = f"{leak.database.name} answered {within(leak.tests)}: the option {option.given} chooses {file}"
    if len(unset) == 1:
        name = _name_at(left[unset[0]])
        said = f"{said}, which does not set {name} as {own}:{unset[0]} does."
        return Finding(NAME, said, own, unset[0], About(option, name, lacks=file))
    used = _used(context, chosen, apart) or apart
    if len(used) == 1 and not lacking:
        return Finding(NAME, f"{said}, with line {used[0]}.", file, used[0], About(option, _name_at(chosen[used[0]])))
    return Finding(NAME, f"{said}{f' in place of {own}' if own else ''}.", file, None, About(option, ""))


def _settings(text: str) -> dict[int, str]:
    """The lines of a configuration file that can lead to a database, by their number."""
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return {number: line for number, line in lines if _name_at(line) and line[0] not in "#;[" and not _IDLE.match(line)}


def _used(context: Context, chosen: dict[int, str], lines: list[int]) -> list[int]:
    """The lines that have the name of a variable of the run, or the value that it was set to."""
    evidence = context.case.evidence
    events = [event for event in (*evidence.variables, *evidence.modes) if event.op in ("set", "read")]
    words = {word for event in events for word in (event.name, event.value) if word}
    return [line for line in lines if not words.isdisjoint(re.split(r"[\s=\"':,\[\]]+", chosen[line]))]


def _chosen_file(option: Option, text_of: TextOf) -> str:
    """The project's file that an option names; "" for none."""
    file = _module(option) or (os.path.normpath(option.value) if option.value.endswith(_SETTINGS) else "")
    known = bool(file) and text_of(file) is not None and not _is_first_choice(option, file)
    return file if known else ""


def _name_at(line: str) -> str:
    """The name that a line gives a value to; for a variable of pytest-env or tox, the variable."""
    found = re.match(r"\s*(?:(?:env|set_?env)\s*=\s*)?(?:[DRU]:)*[\"']?([\w.-]+)[\"']?\s*[:=]", line)
    return found[1] if found is not None else ""


def own_files(option: Option) -> tuple[str, ...]:
    """The files that the program reads without the option."""
    return _OF_PYTEST if option.names_configuration else _OF_OTHERS


def _without(finding: Finding[About], option: Option, fix: str) -> Candidate:
    without: Intervention = WithoutOption(option.flag, option.begins)
    if option.names_configuration:
        without = OwnConfiguration(os.path.normpath(option.value), option.given)
    return Candidate(finding, f"without {option.given}", (without,), fix, carried=finding.about.carried)


def advice(finding: Finding[About]) -> str:
    """Leave the option out, or let what it chooses name the test database."""
    about = finding.about
    if about.lacks:
        instead = f"set {about.name} in {about.lacks} as {finding.where} does"
    else:
        instead = f"let {f'{about.name} at ' if about.name else ''}{finding.where} lead to the test database"
    return f"Run the tests without {about.option.given}, or {instead}."


def _because(about: About, where: str, sources: Sources) -> str:
    """The line that gives the option, what it leads to, and the project's own line instead."""
    given = _given(about, sources)
    if about.lacks:
        return f"{given}, and {about.lacks} does not set {about.name} as {where} does"
    if not about.name:
        chosen = about.option.names(where)
        return given + (", in place of the project's own file" if chosen else f", which {where} uses" if where else "")
    own = next((f"{file}:{line}" for file in own_files(about.option) if not about.option.names(file)
                for line in sources.lines_with(about.name, file)), "")  # fmt: skip
    return f"{given}, and {where} sets {about.name}{f', instead of {own}' if own else ''}"


def _given(about: About, sources: Sources) -> str:
    option = about.option
    found = sources.lines_that_give(option.flag, option.begins)
    if found and found[0].sure:
        return f"{found[0].with_reader} passes {option.given}"
    by = f"{option.variable} in the environment" if option.variable else "the command"
    return f"{by} passes {option.given}" + (f" (as {possible(found)} does)" if found else "")


def _brought(about: About, sources: Sources) -> str:
    return f"{_given(about, sources).replace('the command', 'The command', 1)}."


KIND = Kind(
    NAME,
    "An option of the command that chooses another configuration",
    Explanation(
        what="An option of the command (pytest -c, -o or -p, --env-file, alembic -c) chooses a file, a plugin or a "
        "value that leads to the wrong database. The project's own configuration, which a run by hand uses, does not.",
        comes_about="The CI script has a configuration file of its own, copied from a deployment or lacking a line.",
        example="""
        $ pytest -c ci.ini
        # ci.ini: env = DATABASE_URL=postgresql://production/app
        """,
        proved="A re-run without the option: pytest then finds the project's own file, and the tests keep their root "
        "folder and ids.",
        to_do="Leave the option out, or name the test database in the file that it chooses.",
    ),
    Strength.CAUSE,
    detect,
    interventions,
    advice,
    words=Words(_because, _brought),
    explains_others=True,
)

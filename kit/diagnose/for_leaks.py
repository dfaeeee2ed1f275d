"""The experiments that may be tried for any leak, whichever finding there is. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from kit.diagnose.advice import advice_on
from kit.diagnose.candidate import NOWHERE, Candidate, Change, diff
from kit.diagnose.given import (
    Given,
    another_in,
    holds_variables,
    kind_of,
    redirected_connection,
    redirected_session,
)
from kit.evidence import Evidence, Frame
from kit.findings.case import Leak, named
from kit.findings.openers import culprit
from kit.findings.openers import overridden as is_overridden
from kit.findings.sources import named_in_files, origin_of, parts_of

_OF_ITSELF = ("middleware", "thread")  # what runs by itself, and can have an engine to itself
_PAST = ("past the dependencies", "called directly", "background task")  # what code of a request's own does


class ForLeaks(Given):
    """What leads to a leak from outside (variables, files, modules), and what can be put in the place of its engine."""

    __slots__ = ()

    def for_leak(self, leak: Leak) -> Iterator[Candidate]:
        """What may be tried for any leak, whichever finding there is."""
        overridden = bool(self.case.evidence.overrides)
        if overridden:
            yield from self._session_elsewhere(leak)
            yield from self._connection_elsewhere(leak)
        if leak.first.how in _OF_ITSELF and not _opens_a_session(self.case.evidence, leak):
            yield from self.last_resort(leak)
        yield from self._variables(leak)
        yield from self._own_modules(leak)
        if leak.engine is not None:
            yield from self._collected_alone(leak)
            yield from self._made_by_the_way(leak)
        if not overridden:
            yield from self._session_elsewhere(leak)
        if self._lifespan_ran(leak):
            yield self._no_lifespan(leak)

    def _made_by_the_way(self, leak: Leak) -> Iterator[Candidate]:
        """A statement that led to the engine, and whose value nobody takes: nothing else depends on it.

        What the lifespan does when it runs is no accident of some statement of it.
        """
        assert leak.engine is not None
        if leak.engine.stage == "lifespan":
            return
        early = leak.engine.phase in ("configure", "collection", "start")
        for frame in self.case.evidence.chain(leak.engine)[1:]:
            statement = self._statement(frame.file, frame.line)
            if statement is None or not statement.by_the_way or self.case.of_tests(frame.file):
                continue
            yield Candidate(
                "import-time-engine" if early else "engine-made-early",
                f"without {frame.file}:{statement.first} `{' '.join(statement.text.split())}`",
                f"{frame.file}:{statement.first} makes the engine of {leak.database.name} "
                f"({leak.engine.phase}), and what holds it is kept.",
                frame.file,
                statement.first,
                ({"op": "edit", "file": frame.file, "lines": [list(statement.left_out)]},),
                diff(frame.file, statement.first, statement.text, ""),
            )

    # --- sessions -----------------------------------------------------------------------------------------------------

    def _session_elsewhere(self, leak: Leak) -> Iterator[Candidate]:
        """The session that was opened on the leak, bound to the engine that the tests use instead."""
        meant, opener = self._engine_of_tests(), leak.opener
        through_one = leak.first.how in ("dependency", "override")
        if through_one or not _opens_a_session(self.case.evidence, leak):
            return
        if meant is None or opener is None or leak.engine is None:
            return
        there = "the dependency that the tests override" if self.case.evidence.overrides else "what the tests put there"
        yield self._past(
            leak,
            opener,
            f"with the session of {opener.file}:{opener.line} on the tests' engine",
            f"a session of its own on {leak.database.name}, past {there}",
            redirected_session(opener, meant),
        )

    def _connection_elsewhere(self, leak: Leak) -> Iterator[Candidate]:
        """The connection that was opened past an override, without a session, led where the override leads."""
        meant = self._engine_of_tests() if leak.engine is not None else self._connected_by_tests()
        opener, in_a_session = leak.opener, _opens_a_session(self.case.evidence, leak)
        if leak.first.how not in _PAST or in_a_session or not is_overridden(self.case, leak):
            return
        if meant is None or opener is None:
            return
        yield self._past(
            leak,
            opener,
            f"with the connection of {named(opener)} at {opener.file}:{opener.line} led where the override leads",
            f"a connection of its own to {leak.database.name}, past the dependency that the tests override",
            redirected_connection(opener, meant),
        )

    def _past(self, leak: Leak, opener: Frame, what: str, opens: str, change: Change) -> Candidate:
        """What goes past the tests' own, where the code that should have handed it down is to be changed."""
        astray = culprit(self.case, leak) or opener
        return Candidate(
            kind_of(leak),
            what,
            f"{opener.file}:{opener.line} opens {opens}: {self.case.leads(leak.first.chain[:4])}.",
            astray.file,
            astray.line,
            (change,),
            self._past_fix(leak, astray, opener),
        )

    def _past_fix(self, leak: Leak, astray: Frame, opener: Frame) -> str:
        where = f"{astray.file}:{astray.line}"
        if leak.first.how == "middleware":
            return advice_on("middleware-session", where)
        down = "" if astray == opener else f" (hand it down as an argument to {opener.file}:{opener.line})"
        if leak.first.how == "past the dependencies":
            return f"At {where} go by what the dependency supplies{down}, so that the override reaches it."
        return (
            f"At {where} no dependency is supplied: take the factory of sessions from what tests can set (app.state, "
            f"an argument, the module's attribute at the time of the call){down}."
        )

    # --- the lifespan -------------------------------------------------------------------------------------------------

    def _lifespan_ran(self, leak: Leak) -> bool:
        return any(
            request.type == "lifespan" and request.at_s <= leak.first.entry.at_s
            for request in self.case.evidence.requests
        )

    def _no_lifespan(self, leak: Leak) -> Candidate:
        opener = leak.opener
        return Candidate(
            "lifespan-engine",
            "without the application's lifespan",
            f"The lifespan of the application, which runs when the client is entered, leads to {leak.database.name}.",
            opener.file if opener else None,
            opener.line if opener else None,
            ({"op": "no-lifespan"},),
            "Let the lifespan take its database from the application's settings, which tests can change, or use the "
            "client without `with`, so that no lifespan runs.",
        )

    # --- variables ----------------------------------------------------------------------------------------------------

    def _variables(self, leak: Leak) -> Iterator[Candidate]:
        """What the place of a leak came from: a file of variables, or a variable that was there at the start."""
        source = origin_of(self.case.evidence, leak.first)
        for file, line, name, value in named_in_files(self.case.evidence, leak.engine) if leak.engine else ():
            changed = self._changed_line(file, line, value or "")
            away: Change = {"op": "no-dotenv", "names": [name.upper()], "file": file}
            in_place = changed is not None and not holds_variables(file)
            yield Candidate(
                "settings-file" if in_place else "dotenv-precedence",
                another_in(name, file) if in_place else f"without {name} from {file}",
                f"{name} in {file}:{line} leads to {leak.database.name}{self._read_at(file)}.",
                file,
                line,
                (changed if in_place and changed is not None else away,),
                f"In {file}:{line} name the test database."
                if in_place
                else f"Let the tests' settings read another file than {file}, or set {name} in the environment, "
                "which goes first.",
                otherwise=(changed,) if changed is not None and not in_place else (),
                otherwise_label=another_in(name, file),
            )
        if source.variable is None:
            yield from self._parts(leak)
        if source.variable is None or source.written is None or source.written.op != "inherited":
            return
        made = self.case.evidence.chain(leak.engine or leak.first.connection)
        frame = made[0] if made else None
        for name in (source.variable, *source.also):
            yield self._unset(
                "variable-inherited",
                name,
                f"{name}, inherited from what started the command, holds the URL of {leak.database.name}.",
                frame.file if frame else None,
                frame.line if frame else None,
                f"Do not set {name} where the tests run, or set it to the test database there.",
            )

    def _read_at(self, file: str) -> str:
        opened = next((event for event in self.case.evidence.settings_files if event.file == file), None)
        chain = self.case.evidence.chain(opened) if opened is not None else ()
        own = chain and not chain[0].file.startswith("site-packages/")
        return f", and is read at {chain[0].file}:{chain[0].line}" if own else ""

    def _parts(self, leak: Leak) -> Iterator[Candidate]:
        """The host, or else the port, that the place was put together of, where the tests have not set it."""
        made = leak.engine or leak.first.connection
        url = leak.engine.url if leak.engine is not None else leak.first.connection.configured
        parts = parts_of(self.case.evidence, made, url)
        event = parts.get("host") or parts.get("port")
        if event is None or self.case.done_by_tests(event):
            return
        at = next(iter(self.case.evidence.chain(event) or self.case.evidence.chain(made)), None)
        held = ", ".join(f"{part} from {one.name}={one.value}" for part, one in parts.items())
        yield Candidate(
            "variable-missing" if event.op == "missing" else "variable-inherited",
            f"with {event.name} naming another server",
            f"The place of {leak.database.name} is put together of parts ({held}), and the tests set no other "
            f"{event.name}.",
            at.file if at else None,
            at.line if at else None,
            ({"op": "set", "name": event.name, "value": NOWHERE if event is parts.get("host") else "1"},),
            f"Set {event.name}, too, to that of the test server, before the application asks for it.",
        )

    # --- modules ------------------------------------------------------------------------------------------------------

    def _collected_alone(self, leak: Leak) -> Iterator[Candidate]:
        """The engine was made while another test module was collected."""
        engine, own = leak.engine, {test.partition("::")[0] for test in leak.tests}
        if engine is None or engine.phase != "collection" or engine.collecting is None:
            return
        module = engine.collecting.partition("::")[0]
        others = {outcome.test.partition("::")[0] for outcome in self.case.evidence.outcomes} - {module}
        if module not in own and module.endswith(".py") and self.case.of_tests(module) and others:
            yield self._leave_out(
                "collection-time-import",
                module,
                f"{module} makes the engine while it is collected.",
                None,
                f"Import the application inside the tests or fixtures of {module}, not at its top.",
            )

    def _own_modules(self, leak: Leak) -> Iterator[Candidate]:
        """A file of the leak was loaded from one folder, while its like lies where the project's modules are."""
        made = self.case.evidence.chain(leak.engine or leak.first.connection)
        for frame in (*made[:1], *leak.first.chain[:1]):
            for folder, own in self._namesakes(frame.file):
                yield Candidate(
                    "module-from-elsewhere",
                    f"with {folder or 'the folder of the command'} first on the path of modules",
                    f"{frame.file} is loaded as the module of its name, and not {own}: the path of modules "
                    f"(PYTHONPATH, and how pytest is started) decides. It leads to {leak.database.name}.",
                    frame.file,
                    frame.line,
                    ({"op": "path-first", "folder": folder},),
                    f"Let the tests import {own}: set pythonpath = {folder or '.'} in pytest's configuration (or run "
                    "python -m pytest), and take the other folder out of PYTHONPATH.",
                )
                return

    def _namesakes(self, file: str) -> Iterator[tuple[str, str]]:
        """Other files of the project that could be the same module: the folder to start from, and the file."""
        parts = file.split("/")
        for number in range(1, len(parts) - 1):
            for folder in ("", "src"):
                own = "/".join([*([folder] if folder else []), *parts[number:]])
                if own != file and not self.case.of_tests(own) and self.text_of(own) is not None:
                    yield folder, own


def _opens_a_session(evidence: Evidence, leak: Leak) -> bool:
    sessions = {session.session: session for session in evidence.sessions}
    session = sessions.get(getattr(leak.first.entry, "session", None) or "")
    return session is not None and evidence.chain(session) == leak.first.chain

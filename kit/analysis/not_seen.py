"""The gaps in a record: why something was not seen, whether it may hide a database, and what to do. Pure.

A gap hides a database only if evidence suggests it: a driver that connected, a native client, a Python without probes,
a record with lost lines. A suite that runs `git`, or imports a driver and never connects with it, has no gap. A client
of a server that is not a database (Redis) is reported, because its address was not checked, and hides none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kit.analysis.databases import Allowed
from kit.analysis.model import first
from kit.analysis.other_processes import with_tests
from kit.evidence.model import Child, Evidence, Frame, NotSeen, Process

_PYTHON = re.compile(r"^(python|pypy)[\d.]*[a-z]?$")
_LOOK_UP = "look up which database its arguments and variables name"
_RUN_AGAIN = "run it again; if it is there again, report it as a fault of the kit"
# The probes do not parse the options of these clients, so the server that they use is unknown.
_CLIENTS = frozenset({
    "clickhouse", "clickhouse-client", "mongo", "mongosh", "mongodump", "mongorestore", "mongoimport", "mongoexport",
    "redis-cli", "cqlsh",
})  # fmt: skip
# Programs that start others out of the probes' sight; that alone does not suggest a database.
_LAUNCHERS = frozenset({"docker", "docker-compose", "podman", "kubectl", "sudo", "su", "ssh"})


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that was not seen: its kind (`what`), its `name`, `why`, and what `to_do` so that it is seen.

    `hides` is True when a database may have been reached there. A run with such a gap is never called clean.
    """

    what: str
    name: str
    why: str
    to_do: str = ""
    hides: bool = True
    test: str | None = None
    at: Frame | None = None

    def __str__(self) -> str:
        place = f"{self.at.file}:{self.at.line}" if self.at is not None else ""
        where = ", in ".join(filter(None, (place, self.test)))
        return f"{self.why}{f' ({where})' if where else ''}" + (f". To do: {self.to_do}" if self.to_do else "")


def gaps(evidence: Evidence, allowed: Allowed) -> tuple[Gap, ...]:
    """All gaps of a run without duplicates; those that can hide a database come first.

    A client of an allowed database hides none.
    """
    found = (
        *(Gap("record", "", problem, _RUN_AGAIN) for problem in evidence.problems),
        *_of_probes(evidence, allowed),
        *_probes(evidence),
        *_processes(evidence),
        *_children(evidence),
    )
    once = {(gap.what, gap.name, gap.why): gap for gap in reversed(found)}
    return tuple(sorted(reversed(once.values()), key=lambda gap: not gap.hides))


def hiding_gaps(found: Iterable[Gap]) -> tuple[Gap, ...]:
    """The gaps that can hide a database."""
    return tuple(gap for gap in found if gap.hides)


def new_hiding_gap(first: Evidence, again: Evidence, allowed: Allowed) -> Gap | None:
    """A gap of a re-run that can hide a database and that the first run did not have; None if there is none."""
    known = {(gap.what, gap.name) for gap in gaps(first, allowed)}
    anew = (gap for gap in hiding_gaps(gaps(again, allowed)) if (gap.what, gap.name) not in known)
    return next((gap for gap in anew if gap.what != "run"), None)


def _of_probes(evidence: Evidence, allowed: Allowed) -> Iterator[Gap]:
    """The gaps that the probes reported."""
    for one in evidence.not_seen:
        at = first(evidence.chain(one))
        if one.what == "client":
            yield replace(_client(one, allowed), at=at)
            continue
        why, to_do = _MESSAGES.get(one.what, ("{name} was not seen", _RUN_AGAIN))
        reason = f": {one.why}" if one.why else ""
        said = why.format(name=one.name) + reason
        yield Gap(one.what, one.name, said, to_do, hides=one.what != "store", test=one.test, at=at)


def _client(one: NotSeen, allowed: Allowed) -> Gap:
    """The gap of a native client, which may have connected to `one.asked`."""
    if one.asked is None:
        reason = f": {one.why}" if one.why else ""
        why = f"the native client {one.name} was run on a database that the kit could not identify{reason}"
        judged, to_do = None, _LOOK_UP
    else:
        judged = allowed.names(one.asked)
        said = {True: "which is allowed", False: "which is not allowed", None: "and no allow-list was given"}
        why = f"the native client {one.name} was run on {one.asked}, {said[judged]}"
        to_do = "" if judged else "look up what it does there, or allow the database if tests may reach it (--allow)"
    return Gap("client", one.name, why, to_do, hides=not judged, test=one.test)


_MESSAGES = {
    "driver": (
        "{name} connected to a database that the kit could not identify",
        "look up in its settings which server it uses; the guard (--db-guard) refuses it by name",
    ),
    "store": ("{name} connected to a server that is not a database", "look up in its settings which server it uses"),
    "child": (
        "{name} was started without the probes",
        "start it without -I, -E and -S, and with PYTHONPATH and ISOLATION_PROBES_* in its environment",
    ),
    "imports": (
        "{name} was imported without its probe",
        "add to sys.meta_path instead of replacing it",
    ),
    "record": ("lines of the record were lost ({name})", _RUN_AGAIN),
    "probe": ("the probe {name} failed and is off", "report it as a fault of the kit"),
}


def _probes(evidence: Evidence) -> Iterator[Gap]:
    for process in evidence.processes:
        for module, why in process.failures.items():
            yield Gap(
                "probe", module, f"the probe for {module} could not be installed, or failed: {why}",
                "report it as a fault of the kit, with the version of the library",
            )  # fmt: skip


def _processes(evidence: Evidence) -> Iterator[Gap]:
    code = evidence.exit_code
    if code and not evidence.outcomes:
        ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        begun = any(one.test for one in (*evidence.connections, *evidence.uses))
        yield Gap("run", "", f"the command {ended}, and no test {'came to its end' if begun else 'was run'}")
    pids = {process.pid for process in evidence.processes}
    last = {process.pid: number for number, process in enumerate(evidence.processes)}
    theirs, cut_short = with_tests(evidence), []
    for number, process in enumerate(evidence.processes):
        if process.ended or last[process.pid] > number:  # the latter was replaced by another program (exec)
            continue
        if process.pid in evidence.running:
            yield _kept_running(process.pid, program(process))
        elif process.ppid not in pids and (number in theirs or not theirs):
            yield Gap(
                "process", program(process), f"process {process.pid} ended abruptly: its probes did not record it",
                "find out what ended it (a signal, os._exit, or exec of another program)",
            )  # fmt: skip
        elif not process.forked:  # a fork of multiprocessing exits without a report and loses nothing
            cut_short.append(process)
    for pid in evidence.running:
        if pid not in pids:
            yield _kept_running(pid, "a fork of the command")
    if cut_short:
        names = ", ".join(sorted({program(process) for process in cut_short})[:3])
        many = "a process" if len(cut_short) == 1 else f"{len(cut_short)} processes"
        yield Gap(
            "process", names,
            f"{many} besides the tests' own ({names}) ended abruptly, killed or by os._exit: what they did until "
            "then was recorded", hides=False,
        )  # fmt: skip


def _kept_running(pid: int, name: str) -> Gap:
    return Gap(
        "process", name,
        f"process {pid} ({name}) kept running after the command had ended: what it did after that is not known",
        "end it in the tests, or wait for it",
    )  # fmt: skip


def _children(evidence: Evidence) -> Iterator[Gap]:
    """The gaps of started processes that did not report."""
    pids = {process.pid for process in evidence.processes}
    explained = {one.name for one in evidence.not_seen if one.what == "child"}  # already reported, with the reason
    numbered = any(child.pid is not None for child in evidence.children)
    for child in evidence.children:
        name = _name_of(child.program)
        if child.pid in pids or (numbered and child.pid is None):  # it reported, or another entry has its number
            continue
        if name in _CLIENTS:
            yield Gap(
                "client", name, f"the native client {name} was run on a database that the kit could not identify",
                _LOOK_UP, hides=name != "redis-cli", test=child.test,
            )  # fmt: skip
        elif _ran_without_probes(child, name) and name not in explained:
            why, to_do = _MESSAGES["child"]
            yield Gap("child", name, why.format(name=name), to_do, test=child.test)
        elif name in _LAUNCHERS:
            yield Gap("child", name, f"{name} was run: what it started was not seen", hides=False, test=child.test)


def _ran_without_probes(child: Child, name: str) -> bool:
    if child.python is False:
        return False
    is_python = child.python or _PYTHON.match(name) is not None
    return is_python and (child.pid is not None or child.watched is False)


def _name_of(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")


def program(process: Process) -> str:
    """The name of the program that a process runs."""
    name = _name_of(process.argv[0]) if process.argv else ""
    return "python" if name.startswith("-") or not name else name

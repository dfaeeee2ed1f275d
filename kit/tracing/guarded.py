"""Is a command guarded, by the kit (--stop) or by pytest's --db-guard, as far as can be known before it runs?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kit.analysis.stopped import BY_NOBODY, BY_PYTEST, BY_STOP
from kit.errors import TraceError
from kit.evidence.model import Evidence
from kit.probes.allow import AllowList
from kit.probes.gate import ALLOW_VARIABLE, allow_text
from kit.probes.peers import Peer
from kit.probes.servers import Servers

OPTION = "--db-guard"
NOT_GUARDED = "not guarded: it connects wherever it is configured to (--stop, with --allow DB, refuses everything else)"
_CONFIGS = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
_GUARD_NOTICES = {
    BY_STOP: "guarded (--stop): what is not on the allow-list is refused before its first statement",
    BY_PYTEST: "guarded by pytest's --db-guard only (--stop, with --allow DB, guards the whole command)",
    BY_NOBODY: NOT_GUARDED,
}


@dataclass(frozen=True, slots=True)
class Stopping:
    """The allow-list of a guarded run; connections off the list are refused before their first statement.

    `drivers` are drivers without a probe, and native clients, that may connect anywhere. `known` is the file in which
    the processes of this run and later ones record the server behind each entry.
    """

    allow: AllowList
    drivers: tuple[str, ...] = ()
    known: Path | None = None

    def variables(self, known: Path) -> dict[str, str]:
        """The variables that turn the guard on in a run's processes; `known` is the default of the attribute."""
        return {ALLOW_VARIABLE: allow_text(self.allow, str(self.known or known), self.drivers)}


def record_servers(evidence: Evidence, began_s: float, allow: AllowList, known: Path) -> None:
    """Record in `known` the server behind each entry, as seen in a run that was not guarded.

    Later runs refuse another server at the same address, as a guarded run does.
    """
    at_s = 0.0
    servers = Servers(allow, str(known), lambda: began_s + at_s)
    for connection in evidence.connections:
        if connection.observed is not None and "system_identifier" in connection.observed:
            at_s = connection.at_s
            peer = Peer(*connection.peer) if connection.peer is not None else None
            servers.refusal(connection.configured, connection.observed, peer)


def require_allowlist(stop: bool, allow: Sequence[str], drivers: Sequence[str]) -> None:
    """Raise TraceError for --stop or --allow-driver without an allow-list."""
    if stop and not allow:
        raise TraceError(
            "--stop without --allow",
            wanted="the databases that the tests may reach: all others are refused",
            remedy="name each with --allow DB; with --allow :memory: alone everything but in-memory databases is "
            "refused, and the answer lists what the tests tried to reach",
        )
    if drivers and not allow:
        raise TraceError(
            "--allow-driver without --allow",
            wanted="an allow-list: without one no driver is refused",
            remedy="name the databases that the tests may reach with --allow DB, or leave --allow-driver out",
        )


def guard_of(command: Sequence[str], folder: Path, environ: Mapping[str, str], stopping: Stopping | None) -> str:
    """The guard of a run, one of the words of `Evidence.guard`.

    pytest's option counts when it is in the command, in PYTEST_ADDOPTS, or in a file that pytest may read in `folder`
    or above.
    """
    if stopping is not None:
        return BY_STOP
    named = any(OPTION in text for text in (*command, environ.get("PYTEST_ADDOPTS", "")))
    named = named or any(OPTION in _text(place / name) for place in (folder, *folder.parents) for name in _CONFIGS)
    return BY_PYTEST if named else BY_NOBODY


def guard_notice(guard: str) -> str:
    """The guard of a run in words, for a message before it begins."""
    return _GUARD_NOTICES[guard]


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""

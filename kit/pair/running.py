"""The pair that `kit up` leaves running, `kit status`, `kit down`, and the state file that they share."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec

from kit.errors import PairError
from kit.pair import places
from kit.pair.logs import ServerLog
from kit.pair.model import SIDES, Kind, Pair, Side, SideName
from kit.pair.run import clear, is_supervisor, runs_on
from kit.pair.state_files import only_one, unwritable, write
from kit.pair.supervisor import END, ENDED
from kit.typed import typed
from kit.workfolder import LOCK, is_held

FORMAT = 1
DOWN_S = 20.0
DOWN_POLL_S = 0.005
CONNECT_S = 2.0
OWNER_VARIABLE = "KIT_PAIR_OWNER"
"""Whose the pair is that the environment names, such as a seat of a class."""
OWNER = "kept-by"  # in the directory of a pair left running: the path of the state file that it belongs to
LAST_WORDS = 3  # entries of a log
RECORD_S = 2.0
_USUAL = (
    "starting PostgreSQL", "listening on", "database system was", "database system is ready", "connection received",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """The content of the state file: the pair, and what is needed to end it.

    `directory`, `supervisor` and `pids` (the process numbers of the supervisor and of each side's server) belong to an
    embedded pair, `compose` to one in containers. `folder` is where `kit up` was called, empty when unknown.
    """

    pair: Pair
    directory: Path | None
    supervisor: int
    pids: Mapping[SideName, int]
    compose: Mapping[str, Any] | None
    folder: str


def up(
    kind: Kind = "embedded",
    ports: tuple[int, int] | None = None,
    *,
    urls: tuple[str, str] | None = None,
    writable: bool = False,
    owner: int | None = None,
) -> Pair:
    """Leave a pair running and write the state file; a pair that is already up is returned again.

    `urls` (production's, test's) are for the kind external, and `writable` permits the kit to write there. `owner` is
    the number of a process with which embedded servers end; None lets them run until `kit down`. Raises PairError when
    the pair that is up is of another kind or on other ports.
    """
    with only_one():
        found = _still_up()
        if found is not None:
            _refuse_another(found, kind, ports, urls)
            return found
        _take_down()
        if kind == "embedded":
            return _leave_embedded(ports, owner)
        if kind == "compose":
            return _leave_compose(ports)
        from kit.pair.external import open_external

        if urls is None:
            raise PairError("an external pair was requested without its URLs", remedy="give both servers' URLs")
        pair = open_external(*urls, writable=writable)
        _remember(pair, {})
        return pair


def down() -> bool:
    """End the pair that was left running; False when there was none. Servers that the kit did not start keep running.

    What the kit started is found by its directories, even when the state file is damaged or lost.
    """
    from kit.pair import compose

    if not _has_state() and not _kept() and not compose.leftovers():
        return False
    with only_one():
        return _take_down()


def _has_state() -> bool:
    path = places.state_file()
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError as error:  # `exists` would take a file in the place of the folder for no state
        raise _unreadable(path, error) from error
    return True


def _unreadable(path: Path, error: OSError) -> PairError:
    return PairError(
        f"{path} cannot be read: {error.strerror}",
        remedy=f"set {places.STATE_VARIABLE} to a directory of this user's",
    )


def status() -> Pair | None:
    """The pair that was left running, or None. Raises PairError when one of its servers has died."""
    state = _read_state()
    if state is None or (state.directory is not None and not is_held(state.directory)):
        return None
    for side in state.pair.sides:
        if state.directory is None:
            alive = _listens(side)
        else:
            alive = runs_on(state.pids[side.name], str(state.directory / side.name))
        if not alive:
            raise dead(side)
    return state.pair


def description(pair: Pair) -> str:
    """One line: kind and start time of the pair, and whose it is.

    That is the folder where `kit up` started it, or the owner that the environment names.
    """
    state = _read_state()
    since = pair.production.identity.started[:16].replace("T", " ")
    line = f"The pair is up ({pair.kind}), since {since} UTC"
    if state is None or state.pair != pair:
        owner = os.environ.get(OWNER_VARIABLE)
        return f"{line}: it belongs to {owner}." if owner else f"{line}."
    return f"{line}: kit up started it" + (f" in {state.folder}." if state.folder else ".")


def check(pair: Pair) -> None:
    """Raise PairError for the first server that no longer accepts connections, with the end of its log.

    For a caller that lost a connection and needs to know whether the server died or only the connection.
    """
    for side in pair.sides:
        if not _listens(side):
            raise dead(side)


def dead(side: Side) -> PairError:
    """The error for a server that has died: its exit status, and its last log entries about itself."""
    found = f"the server {side.name} on {side.host}:{side.port} has died"
    if side.log is not None:
        found += _describe_exit(side.log.parent / f"{side.name}{ENDED}") + _last_words(side.log)
    return PairError(found, remedy="kit down, then kit up")


def _describe_exit(record: Path) -> str:
    deadline = time.monotonic() + RECORD_S
    while not record.exists() and is_held(record.parent) and time.monotonic() < deadline:
        time.sleep(DOWN_POLL_S)  # the supervisor writes it a moment after the exit
    try:
        status = int(record.read_text())
    except (OSError, ValueError):
        return ""
    return f" (ended by signal {-status})" if status < 0 else f" (exit status {status})"


def _last_words(log: Path) -> str:
    """The last entries about the server itself, not about its sessions and their statements."""
    try:
        start = max(0, log.stat().st_size - 65_536)
        lines = ServerLog(log).read(start)
    except (OSError, PairError):
        return ""
    telling = [
        " ".join(line.text.split())
        for line in lines
        if line.kind in ("error", "other") and not line.user and not line.text.startswith(_USUAL)
    ]
    return f"; the end of its log: {' / '.join(telling[-LAST_WORDS:])}" if telling else ""


def _still_up() -> Pair | None:
    _read_state()  # raises for a damaged state file instead of replacing it
    try:
        return status()
    except PairError:
        return None  # one server is gone; the other is taken down before the next start


def _refuse_another(found: Pair, kind: Kind, ports: tuple[int, int] | None, urls: tuple[str, str] | None) -> None:
    there = tuple(side.port for side in found.sides)
    same_place = urls is None or all(
        (side.host, side.port, side.database) == (other.host, other.port, other.database)
        for side, other in zip(found.sides, _places(urls), strict=True)
    )
    if found.kind != kind or (ports is not None and ports != there) or not same_place:
        raise PairError(
            f"an {found.kind} pair is up on the ports {there[0]} and {there[1]}",
            wanted=f"one of kind {kind}" + (f" on the ports {ports[0]} and {ports[1]}" if ports else ""),
            remedy="kit down, then kit up",
        )


def _leave_embedded(ports: tuple[int, int] | None, owner: int | None) -> Pair:
    from kit.pair import embedded

    running = embedded.start(ports)
    directory = running.directory.path
    try:
        write(directory / OWNER, str(places.state_file().absolute()))
        _remember(
            running.pair,
            {
                "directory": str(directory),
                "guard": running.supervisor.process.pid,
                "pids": dict(running.supervisor.pids),
            },
        )
    except BaseException:
        running.close()
        raise
    if owner is None:
        running.supervisor.detach()
    else:
        running.supervisor.watch(owner)
    return running.pair


def _leave_compose(ports: tuple[int, int] | None) -> Pair:
    from kit.pair import compose

    running = compose.start(ports)
    try:
        _remember(running.pair, {"compose": running.as_json()})
    except BaseException:
        running.close()
        raise
    running.release()
    return running.pair


def _take_down() -> bool:
    """End what is up. An unreadable state file is no reason to leave its servers running."""
    try:
        state = _read_state()
    except PairError:
        state = None
    found = places.state_file().exists()
    directories = _kept()
    if state is not None and state.directory is not None and _is_kept(state.directory):
        directories.append(state.directory)  # again, unless KIT_DATA_DIR has changed since
    for directory in dict.fromkeys(directories):
        _end_embedded(directory)
    from kit.pair import compose

    if state is not None and state.compose is not None:
        compose.Containers.from_json(state.compose).close()
    for containers in compose.leftovers():
        found = True
        containers.close()
    try:
        places.state_file().unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(places.state_file(), error) from error
    return found or bool(directories)


def _kept() -> list[Path]:
    """The directories of running pairs that belong to this state file, whatever the file contains."""
    return [path for base in places.all_bases() for path in base.glob(f"{places.RUN_PREFIX}*") if _is_kept(path)]


def _is_kept(directory: Path) -> bool:
    return _is_ours(directory) and _text_of(directory / OWNER) == str(places.state_file().absolute())


def _is_ours(directory: Path) -> bool:
    """Whether this is a pair's directory made by this user, so that its removal destroys nothing else."""
    try:
        found = directory.lstat()
    except OSError:
        return False
    ours = found.st_uid == os.geteuid() and directory.is_dir() and not directory.is_symlink()
    return ours and directory.name.startswith(places.RUN_PREFIX) and (directory / LOCK).is_file()


def _text_of(path: Path) -> str:
    try:
        return path.read_text(errors="surrogateescape")
    except OSError:
        return ""


def _end_embedded(directory: Path) -> None:
    if is_held(directory):
        _end_supervisor(directory)
    if _is_ours(directory):
        clear(directory)  # a killed supervisor has left it, and one that is ending has only just released its lock


def _end_supervisor(directory: Path) -> None:
    """Order the supervisor to end, through a pipe that only the supervisor of this directory reads."""
    with suppress(OSError):  # it has just exited, or there is no pipe; the lock shows which
        descriptor = os.open(directory / END, os.O_WRONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "wb") as pipe:
            pipe.write(b"end\n")
    deadline = time.monotonic() + DOWN_S
    while is_held(directory):
        if time.monotonic() > deadline:
            supervisor = _supervisor_of(directory)
            raise PairError(
                f"the servers in {directory} did not stop within {DOWN_S:.0f} s",
                remedy=f"end the process {supervisor or 'that holds ' + str(directory / LOCK)}, then kit down",
            )
        time.sleep(DOWN_POLL_S)


def _supervisor_of(directory: Path) -> int | None:
    """The process number of a directory's supervisor, if the state file names it and that process is the supervisor."""
    try:
        state = _read_state()
    except PairError:
        return None
    return state.supervisor if state is not None and is_supervisor(state.supervisor, str(directory)) else None


def _remember(pair: Pair, more: Mapping[str, object]) -> None:
    sides = {side.name: asdict(side) | {"log": str(side.log) if side.log is not None else None} for side in pair.sides}
    state = {"format": FORMAT, "kind": pair.kind, "writable": pair.writable, "sides": sides, "folder": _here(), **more}
    write(places.state_directory() / places.state_file().name, json.dumps(state, indent=1))


def _here() -> str:
    try:
        return os.getcwd()
    except OSError:  # the folder was removed
        return ""


def _read_state() -> State | None:
    """The content of the state file, or None when there is none. Raises PairError when it is damaged or forged."""
    path = places.state_file()
    try:
        if path.exists() and not path.is_file():  # reading a FIFO would wait for a writer
            raise _damaged(path, "it is not a regular file")
        found = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict) or found.get("format") is True or found.get("format") != FORMAT:
        there = f"the format {found.get('format')}" if isinstance(found, dict) else "no record"
        raise _damaged(path, there)
    try:
        return _state(found)
    except (KeyError, TypeError, ValueError, AttributeError, msgspec.ValidationError) as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _damaged(path: Path, found: str) -> PairError:
    return PairError(
        f"{path} is damaged: {found}",
        wanted=f"what kit up writes there (format {FORMAT})",
        remedy="kit down, which stops what is running and removes the file",
    )


def _state(found: Mapping[str, Any]) -> State:
    kind = found["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"not a kind of pair: {kind!r}")
    production, test = (_side(name, found["sides"][name]) for name in SIDES)
    pair = Pair(production, test, kind=kind, writable=_is(bool, found["writable"]))
    directory, pids = None, {}
    if kind == "embedded":
        directory = Path(_is(str, found["directory"]))
        pids = {name: _is(int, found["pids"][name]) for name in SIDES}
        if not directory.is_absolute() or not directory.name.startswith(places.RUN_PREFIX):
            raise ValueError(f"not a directory of a pair: {directory}")
    return State(
        pair,
        directory,
        _is(int, found["guard"]) if kind == "embedded" else 0,
        pids,
        _is(dict, found["compose"]) if kind == "compose" else None,
        _is(str, found.get("folder", "")),
    )


def _is(kind: type[Any], value: object) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{value!r} is not of the type {kind.__name__}")
    return value


def _side(name: SideName, found: Mapping[str, Any]) -> Side:
    log = Path(_is(str, found["log"])) if found["log"] is not None else None
    return typed({**found, "name": name, "log": log}, Side)


def _listens(side: Side) -> bool:
    try:
        socket.create_connection((side.host, side.port), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


def _places(urls: tuple[str, str]) -> list[Side]:
    from kit.pair.external import side_from_url

    return [side_from_url(name, url) for name, url in zip(SIDES, urls, strict=True)]

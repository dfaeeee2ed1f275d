"""The pair that was left running on purpose: `kit up`, `kit status`, `kit down`, and the one file that they share."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kit.errors import PairError
from kit.pair import faults, places
from kit.pair.model import SIDES, Identity, Kind, Pair, Side, SideName
from kit.pair.run import clear
from kit.workfolder import is_held

FORMAT = 1
DOWN_S = 20.0
DOWN_POLL_S = 0.005
CONNECT_S = 2.0


def up(
    kind: Kind = "embedded",
    ports: tuple[int, int] | None = None,
    *,
    urls: tuple[str, str] | None = None,
    writable: bool = False,
    owner: int | None = None,
) -> Pair:
    """Leave a pair running and remember it; the one that is up already is given again.

    `urls` (production's, test's) belong to the kind external, and `writable` says that the kit may write there.
    `owner` is the number of a process that embedded servers die with; None means that they outlive everybody.
    Raises PairError when the pair that is up is not of this kind or on these ports.
    """
    with _only_one():
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
            raise PairError("an external pair was asked for without its URLs", remedy="give both servers' URLs")
        pair = open_external(*urls, writable=writable)
        _remember(pair, {})
        return pair


def down() -> bool:
    """End the pair that was left running; False when there was none. Servers that the kit did not start go on."""
    if _recall() is None:
        return False
    with _only_one():
        return _take_down()


def status() -> Pair | None:
    """The pair that was left running, or None. Raises PairError when one of its servers has died since."""
    state = _recall()
    if state is None or (state["kind"] == "embedded" and not is_held(Path(state["directory"]))):
        return None
    pair = _pair(state)
    for side in pair.sides:
        alive = _process_lives(state["pids"][side.name]) if pair.kind == "embedded" else _listens(side)
        if not alive:
            raise dead(side)
    return pair


def check(pair: Pair) -> None:
    """Raise PairError naming the first server that does not answer any more, with the end of its log.

    For whoever has just lost a connection and wants to know whether the server went, or only the connection.
    """
    for side in pair.sides:
        if not _listens(side):
            raise dead(side)


def dead(side: Side) -> PairError:
    """The error for a server that was up and is no more, with the last that it wrote."""
    said = ""
    if side.log is not None and side.log.exists():
        with open(side.log, "rb") as file:
            file.seek(max(0, side.log.stat().st_size - 8192))
            said = f"; the end of its log: {faults.tail(file.read().decode(errors='replace'))}"
    return PairError(
        f"the server {side.name} on {side.host}:{side.port} has died{said}", remedy="kit down, then kit up"
    )


@contextmanager
def _only_one() -> Iterator[None]:
    """Let one `up` or `down` of this user work at a time."""
    descriptor = os.open(places.state_directory() / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _still_up() -> Pair | None:
    try:
        return status()
    except PairError:
        return None  # half of it is gone; what is left is taken down before the next


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
    try:
        pids = dict(running.guard.pids)
        _remember(
            running.pair, {"directory": str(running.directory.path), "guard": running.guard.process.pid, "pids": pids}
        )
    except BaseException:
        running.close()
        raise
    if owner is None:
        running.guard.detach()
    else:
        running.guard.watch(owner)
    return running.pair


def _leave_compose(ports: tuple[int, int] | None) -> Pair:
    from kit.pair import compose

    running = compose.start(ports)
    try:
        _remember(running.pair, {"compose": running.as_json()})
    except BaseException:
        running.close()
        raise
    return running.pair


def _take_down() -> bool:
    state = _recall()
    if state is None:
        return False
    if state["kind"] == "embedded":
        _end_embedded(Path(state["directory"]), state["guard"])
    elif state["kind"] == "compose":
        from kit.pair import compose

        compose.Containers.from_json(state["compose"]).close()
    places.state_file().unlink(missing_ok=True)
    return True


def _end_embedded(directory: Path, guard: int) -> None:
    if is_held(directory):
        _end_guard(directory, guard)
    clear(directory)  # a guard that was killed has left it, and one that ends has only just let go of it


def _end_guard(directory: Path, guard: int) -> None:
    os.kill(guard, signal.SIGTERM)  # the lock is held, so this number is still the guard's
    deadline = time.monotonic() + DOWN_S
    while is_held(directory):
        if time.monotonic() > deadline:
            raise PairError(
                f"the servers in {directory} did not end within {DOWN_S:.0f} s", remedy=f"end the process {guard}"
            )
        time.sleep(DOWN_POLL_S)


def _remember(pair: Pair, more: Mapping[str, object]) -> None:
    sides = {side.name: asdict(side) | {"log": str(side.log) if side.log is not None else None} for side in pair.sides}
    state = {"format": FORMAT, "kind": pair.kind, "writable": pair.writable, "sides": sides, **more}
    path = places.state_directory() / places.state_file().name
    half = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(state, file, indent=1)
    half.rename(path)


def _recall() -> dict[str, Any] | None:
    path = places.state_file()
    try:
        state: dict[str, Any] = json.loads(path.read_text())
        if state["format"] == FORMAT:
            return state
        found = f"the format {state['format']}"
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PairError(
            f"{path} cannot be read: {error.strerror}",
            remedy=f"set {places.STATE_VARIABLE} to a directory of this user's",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        found = str(error)
    raise PairError(f"{path} cannot be read: {found}", wanted=f"the format {FORMAT}", remedy=f"delete {path}")


def _pair(state: Mapping[str, Any]) -> Pair:
    production, test = (_side(name, state["sides"][name]) for name in SIDES)
    return Pair(production, test, kind=state["kind"], writable=state["writable"])


def _side(name: SideName, found: Mapping[str, Any]) -> Side:
    log = Path(found["log"]) if found["log"] else None
    return Side(**{**found, "name": name, "identity": Identity(**found["identity"]), "log": log})


def _process_lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _listens(side: Side) -> bool:
    try:
        socket.create_connection((side.host, side.port), timeout=CONNECT_S).close()
    except OSError:
        return False
    return True


def _places(urls: tuple[str, str]) -> list[Side]:
    from kit.pair.external import side_from_url

    return [side_from_url(name, url) for name, url in zip(SIDES, urls, strict=True)]

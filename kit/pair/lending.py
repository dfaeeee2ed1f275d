"""Lend a pair, or what belongs to it, to processes that ask at a socket, so that nothing starts before it is asked for.

A request is one line, the name of what is wanted. The answer is JSON: what was lent, or the error that prevented it.
Only processes of this user reach the socket, whose folder is private; answers contain passwords.
"""

from __future__ import annotations

import json
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from kit import errors, workfolder
from kit.errors import KitError, PairError

ADDRESS_VARIABLE = "KIT_PAIR_LENDER"
"""The variable that names the socket at which a process may ask for a pair."""
PAIR, PARENTS = "pair", "parents"
"""What may be asked for: the variables that name a pair, and the parents of trials (`kit.trials.fork_server`)."""
_PREFIX = "kit-lender-"
_ASKING_S = 5.0  # seconds that a process may take for its request
_NAME_AT_MOST = 64  # bytes


class Lender:
    """Answers requests, one at a time, in a thread of its own. `lends` has the function for each request.

    The functions return JSON values, and may raise KitError, which is raised again in the process that asked.
    """

    def __init__(self, lends: Mapping[str, Callable[[], Any]]) -> None:
        self._lends = lends
        self._folder, self._lock = workfolder.make_short(_PREFIX)
        self.address = str(self._folder / "socket")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.address)
        self._listener.listen()
        self._waking, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="kit-lender", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering, after the request that is being answered, and remove the socket."""
        os.close(self._wake)
        self._thread.join()
        self._listener.close()
        os.close(self._waking)
        workfolder.remove(self._folder)
        os.close(self._lock)

    def _serve(self) -> None:
        listening = self._listener.fileno()
        while self._waking not in select.select([listening, self._waking], (), ())[0]:
            connection, _ = self._listener.accept()
            with connection, suppress(OSError):  # who asked has been killed, which is the affair of its owner
                connection.settimeout(_ASKING_S)
                name = _line(connection)
                connection.sendall(json.dumps(self._answer(name)).encode())

    def _answer(self, name: str) -> dict[str, Any]:
        try:
            return {"lent": self._lends[name]()}
        except KitError as error:
            return {"error": [type(error).__name__, error.found, error.wanted, error.remedy]}
        except Exception as error:  # whatever it is, the process that asked must learn of it
            return {"error": ["PairError", f"the kit itself failed with it: {type(error).__name__}: {error}", "", ""]}


class Asked:
    """A request that was sent to the lender at `address`. Its answer may be read later.

    Raises PairError when nobody answers there.
    """

    def __init__(self, address: str, name: str) -> None:
        self._address = address
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.connect(address)
            self._connection.sendall(f"{name}\n".encode())
        except OSError as error:
            self._connection.close()
            raise _nobody(address, error.strerror) from None

    def answer(self) -> Any:
        """Wait for what was lent, and return it. Raises the KitError that prevented it."""
        with self._connection:
            try:
                said = json.loads(_all(self._connection))
            except (OSError, ValueError):
                raise _nobody(self._address, "it ended before its answer") from None
        if "error" in said:
            name, found, wanted, remedy = said["error"]
            raise getattr(errors, name)(found, wanted=wanted, remedy=remedy)
        return said["lent"]


def lent_variables() -> dict[str, str]:
    """The variables that name the pair which the environment's lender lends; empty when it names no lender.

    The pair is started by the first request. Raises PairError when it does not come up.
    """
    address = os.environ.get(ADDRESS_VARIABLE)
    return dict(Asked(address, PAIR).answer()) if address else {}


def _line(connection: socket.socket) -> str:
    said = b""
    while not said.endswith(b"\n") and len(said) < _NAME_AT_MOST:
        piece = connection.recv(_NAME_AT_MOST)
        if not piece:
            break
        said += piece
    return said.decode(errors="replace").strip()


def _all(connection: socket.socket) -> bytes:
    said = b""
    while piece := connection.recv(65536):
        said += piece
    return said


def _nobody(address: str, why: str | None) -> PairError:
    found = f"the run that lends its servers at {address} does not answer: {why}"
    remedy = f"run the notebook again, or unset {ADDRESS_VARIABLE} outside of a run"
    return PairError(found, remedy=remedy)

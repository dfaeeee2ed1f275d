"""A running seat: a pair of its own, and a JupyterLab that listens on loopback, with its own port and token."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from kit import processes
from kit.errors import ClassError, PairError
from kit.notebooks.classroom.state import SeatState
from kit.notebooks.lab import command, usual_options
from kit.pair import OWNER_VARIABLE, embedded
from kit.pair.embedded import HOST
from kit.pair.places import STATE_VARIABLE

MARK = "KIT_SEAT_MARK"
RESTARTS = 3
"""How often in a row a seat that did not come up is started again."""
_END_S = 30.0  # seconds for JupyterLab to end its kernels
_LAST_CHARACTERS = 300

State = Literal["starting", "up", "down"]


class Seat:
    """One seat. `folder` has its notebooks; `own` has what its programs keep, and is removed with the class."""

    def __init__(self, folder: Path, port: int, own: Path) -> None:
        self.name, self.folder, self.port, self.own = folder.name, folder.absolute(), port, own
        self.token = secrets.token_hex(16)
        self.state: State = "starting"
        self.restarts = 0
        self._mark = secrets.token_hex(16)
        self._pair: embedded.Running | None = None
        self._lab: subprocess.Popen[bytes] | None = None
        self._writing: int | None = None

    def start(self) -> None:
        """Start the pair, then JupyterLab, which is up when `look` says so. Raises PairError without a pair."""
        self.state = "starting"
        self.own.mkdir(exist_ok=True)
        self._pair = embedded.start()
        reading, self._writing = os.pipe()
        with (self.own / "log").open("ab") as log:
            # A session of its own: Ctrl-C is for the class, which then ends its seats.
            self._lab = subprocess.Popen(
                command(reading, self._options()), env=self._environ(os.environ), cwd=self.folder, pass_fds=(reading,),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        os.close(reading)

    def look(self) -> bool:
        """Update `state`. Returns whether one of the seat's programs has ended, so that it is to be started again."""
        if self.state == "down":
            return False
        if self._has_ended():
            self.state = "down"
            return self.restarts < RESTARTS
        if self.state == "starting" and self._listens():
            self.state, self.restarts = "up", 0
        return False

    def start_again(self) -> None:
        """End what is left of this seat, and start it with its port and token. One that does not start is down."""
        self.restarts += 1
        self.end()
        try:
            self.start()
        except PairError:  # the others go on; the table shows that this one is down
            self.end()

    def described(self) -> SeatState:
        """What other commands know of this seat."""
        return SeatState(self.name, self.port, self.token, self.state)

    def failure(self) -> ClassError:
        """The error for a seat that did not start, with the end of JupyterLab's output."""
        try:
            said = " ".join((self.own / "log").read_text("utf-8", "replace").split())[-_LAST_CHARACTERS:]
        except OSError:
            said = ""
        return ClassError(
            f"{self.name} did not start; its JupyterLab said: {said or 'nothing'}",
            remedy="try fewer seats, or kit lab, which shows whether JupyterLab starts at all",
        )

    def ask_to_end(self) -> None:
        """Make JupyterLab end its kernels and exit; `end` waits for it."""
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None

    def end(self) -> None:
        """End all that runs in this seat, and its servers with their data. Its notebooks stay."""
        self.state = "down"
        self.ask_to_end()
        if self._lab is not None:
            leader = self._lab.pid if self._lab.poll() is None else 0
            processes.end(leader, f"{MARK}={self._mark}", ask=signal.SIGTERM, within_s=_END_S)
            self._lab.wait()
            self._lab = None
        self._end_own_pair()
        if self._pair is not None:
            self._pair.close()
            self._pair = None

    def _has_ended(self) -> bool:
        if self._lab is None or self._pair is None or self._lab.poll() is not None:
            return True
        try:
            self._pair.supervisor.listen(0)
        except PairError:
            return True
        return bool(set(self._pair.supervisor.ended) & {"production", "test"})

    def _listens(self) -> bool:
        """Whether JupyterLab has written the file in which it says where it listens."""
        assert self._lab is not None
        return (self.own / "runtime" / f"jpserver-{self._lab.pid}.json").exists()

    def _options(self) -> list[str]:
        return [
            str(self.folder), *usual_options(self.folder), "--no-browser", f"--ServerApp.ip={HOST}",
            f"--ServerApp.port={self.port}", "--ServerApp.port_retries=0",
        ]  # fmt: skip

    def _environ(self, given: Mapping[str, str]) -> dict[str, str]:
        """The seat's variables. What Jupyter and IPython keep, such as the history, is in `own`, which is removed."""
        assert self._pair is not None
        return {
            **given, **self._pair.pair.environ(),
            MARK: self._mark,
            OWNER_VARIABLE: self.name,
            STATE_VARIABLE: str(self.own / "state"),  # kit up and kit down in a seat are about the seat
            "JUPYTER_TOKEN": self.token,  # not as an option, which every user of the machine could read
            "JUPYTER_RUNTIME_DIR": str(self.own / "runtime"),
            "JUPYTER_CONFIG_DIR": str(self.own / "config"),
            "JUPYTER_DATA_DIR": str(self.own / "data"),
            "IPYTHONDIR": str(self.own / "ipython"),
        }  # fmt: skip

    def _end_own_pair(self) -> None:
        """End a pair that somebody has left running in this seat by `kit up`."""
        if (self.own / "state" / "pair.json").exists():
            environ = {**os.environ, STATE_VARIABLE: str(self.own / "state")}
            subprocess.run([sys.executable, "-m", "kit", "down"], env=environ, capture_output=True, check=False)

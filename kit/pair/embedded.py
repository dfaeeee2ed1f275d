"""The embedded pair: two servers of our own on loopback TCP, from programs found on this machine."""

from __future__ import annotations

import math
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from kit.errors import PairError
from kit.pair import binaries as programs
from kit.pair import faults, places
from kit.pair.binaries import Binaries
from kit.pair.identifiers import renew
from kit.pair.model import DATABASES, SIDES, USERS, Pair, Side, SideName
from kit.pair.places import Account
from kit.pair.run import RunDirectory, Supervisor, sweep
from kit.pair.settings import NOT_IN_SHM, as_arguments, embedded_settings
from kit.pair.template import Template

HOST = "127.0.0.1"  # not localhost: 127.0.0.1 and ::1 can be two servers on one port
SUPERUSER = "postgres"
READY_S = 30.0
READY_POLL_S = 0.002
PORT_TRIES = 5

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Running:
    """A running pair, and the supervisor that ends its servers."""

    pair: Pair
    supervisor: Supervisor
    directory: RunDirectory

    def close(self) -> None:
        """End both servers and remove their data."""
        self.supervisor.close()


@contextmanager
def open_embedded(
    ports: tuple[int, int] | None = None, begun: Callable[[Supervisor], None] = lambda supervisor: None,
) -> Iterator[Pair]:
    """A new pair, taken down at the end. `ports` (production's, test's) default to free ones.

    `begun` is called with the supervisor of the servers before they start, for a thread that may abandon the start.
    """
    running = start(ports, begun)
    try:
        yield running.pair
    finally:
        running.close()


def start(
    ports: tuple[int, int] | None = None, begun: Callable[[Supervisor], None] = lambda supervisor: None,
) -> Running:
    """Start both servers in parallel. They end with this process unless their supervisor gets another order."""
    user = places.account()
    found = programs.find(user)
    sweep()
    directory = RunDirectory.make(user)
    supervisor = Supervisor(directory, user)
    directory.release()
    try:
        begun(supervisor)
        pair = _Start(found, user, directory, supervisor, ports).pair()
    except BaseException:
        supervisor.close()
        raise
    return Running(pair, supervisor, directory)


class _Start:
    """The steps from an empty directory to a pair that accepts connections."""

    def __init__(
        self,
        found: Binaries,
        user: Account | None,
        directory: RunDirectory,
        supervisor: Supervisor,
        ports: tuple[int, int] | None,
    ) -> None:
        self.binaries, self.user, self.directory, self.supervisor = found, user, directory, supervisor
        self.fixed = dict(zip(SIDES, ports, strict=True)) if ports is not None else None
        self.ports: dict[SideName, int] = {}

    def pair(self) -> Pair:
        template = Template.of(self.binaries, self.user)
        if not (template.is_kept and self.fill_from(template)):
            self.fill_from_nothing(template)
        self.start_servers()
        production, test = in_parallel(lambda side: self.side(side, template.password))
        return Pair(production, test, "embedded", writable=True)

    def fill_from_nothing(self, template: Template) -> None:
        """Run initdb on both sides, create databases, roles and rows, then keep the result as the template."""
        secret = self.secret_file(template.password)
        outputs = {side: self.initdb(side, secret) for side in SIDES}
        self.finish(outputs)
        secret.unlink()
        self.start_servers()
        in_parallel(lambda side: self.populate(side, template.password))
        self.supervisor.stop(*SIDES)
        template.keep({side: self.data(side) for side in SIDES})

    def fill_from(self, template: Template) -> bool:
        """Unpack both sides of the template. A template that cannot be unpacked is removed; returns False then."""
        from kit.pair.connect import load_driver

        tar, environ = shutil.which("tar"), programs.server_environment()
        running: list[str] = []
        with suppress(OSError):  # another run has just removed it
            for side in SIDES if tar else ():
                self.make_data_directory(side)
                options, archive = template.unpacking(side, self.data(side))
                self.supervisor.run(f"tar {side}", [str(tar), *options], environ, given=archive)
                running.append(f"tar {side}")
        load_driver()  # takes as long as the unpacking, so both run at the same time
        self.supervisor.wait_for(*running, timeout_s=math.inf)
        if [self.supervisor.ended[name] for name in running] == [0] * len(SIDES) and self.tell_apart():
            return True
        template.discard()
        for side in SIDES:
            shutil.rmtree(self.data(side), ignore_errors=True)
        return False

    def tell_apart(self) -> bool:
        """Give both copies their own system identifiers. Returns False when a copy is no data directory.

        A control file of an unknown version keeps the template's identifier: runs still differ in their cluster names.
        """
        try:
            for side in SIDES:
                renew(self.data(side))
        except OSError:
            return False
        return True

    def data(self, side: SideName) -> Path:
        return self.directory.path / side

    def log(self, side: SideName) -> Path:
        return self.directory.path / f"{side}.log"

    def make_data_directory(self, side: SideName) -> None:
        self.data(side).mkdir(mode=0o700)
        if self.user is not None:
            os.chown(self.data(side), self.user.uid, self.user.gid)

    def secret_file(self, password: str) -> Path:
        """Write a file that only initdb's user can read; others could see an argument or a variable."""
        path = self.directory.path / "password"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(password)
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)
        return path

    def initdb(self, side: SideName, secret: Path) -> int:
        """Start initdb for a side; return the file descriptor from which its output can be read."""
        self.make_data_directory(side)
        # A pipe, because on a full disk a file would stay empty, and the full disk is what initdb reports.
        os.mkfifo(self.said(side), 0o600)
        reading = os.open(self.said(side), os.O_RDONLY | os.O_NONBLOCK)
        command = [
            *(self.binaries.initdb, "-D", str(self.data(side)), "-U", SUPERUSER, f"--pwfile={secret}"),
            *("--locale=C", "-E", "UTF8", "-A", "scram-sha-256", "-N", "--wal-segsize=1"),
        ]
        if self.binaries.version[0] >= 16:  # an older initdb leaves a segment in /dev/shm when it is killed
            command += as_arguments(NOT_IN_SHM)
        self.supervisor.run(
            f"initdb {side}", command, programs.server_environment(), log=self.said(side),
            as_named=places.named_stand_in(),
        )  # fmt: skip
        return reading

    def finish(self, outputs: Mapping[SideName, int]) -> None:
        """Wait for both initdb processes. Raises PairError with the output of one that failed."""
        self.supervisor.wait_for(*(f"initdb {side}" for side in outputs), timeout_s=math.inf)
        said = {side: _whole(reading) for side, reading in outputs.items()}
        for side, words in said.items():
            self.said(side).unlink()
            if self.supervisor.ended[f"initdb {side}"] != 0:
                raise faults.explain(f"the data directory of {side} could not be created", words)

    def said(self, side: SideName) -> Path:
        return self.directory.path / f"{side}.said"

    def start_servers(self) -> None:
        """Start both servers and wait until both are ready; a port taken in the meantime is replaced by a free one."""
        waiting: set[SideName] = set(SIDES)
        tries = 0
        self.choose_ports(waiting)
        sizes = {side: self.launch(side) for side in waiting}
        deadline = time.monotonic() + READY_S
        while waiting:
            self.supervisor.listen(READY_POLL_S)
            for side in [side for side in waiting if side in self.supervisor.ended]:
                said = self.output_since(side, sizes[side])
                tries += 1
                if self.fixed or tries > PORT_TRIES or "could not create any TCP/IP sockets" not in said:
                    raise faults.explain(f"the server {side} did not start", said, port=self.ports[side])
                self.choose_ports({side})
                sizes[side] = self.launch(side)
            waiting = {side for side in waiting if not self.is_ready(side)}
            if time.monotonic() > deadline:
                said = " ".join(self.output_since(side, sizes[side]) for side in sorted(waiting))
                raise PairError(
                    f"the server {' and '.join(sorted(waiting))} was not ready after {READY_S:.0f} s;"
                    f" it said: {faults.tail(said) or 'nothing'}"
                )

    def choose_ports(self, sides: set[SideName]) -> None:
        free = self.fixed or dict(zip(SIDES, free_ports(len(SIDES)), strict=True))
        for side in sides:
            self.ports[side] = free[side]

    def launch(self, side: SideName) -> int:
        """Order the start of one server; return the size of its log before the start, in bytes."""
        log = self.log(side)
        size = log.stat().st_size if log.exists() else 0
        settings = embedded_settings(side, self.directory.name, self.ports[side], self.binaries.version)
        argv = [self.binaries.postgres, "-D", str(self.data(side)), *as_arguments(settings)]
        self.supervisor.start(side, argv, log, programs.server_environment())
        return size

    def output_since(self, side: SideName, position: int) -> str:
        try:
            return self.log(side).read_bytes()[position:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def is_ready(self, side: SideName) -> bool:
        """Whether the pid file says "ready", as pg_ctl checks it."""
        try:
            lines = (self.data(side) / "postmaster.pid").read_text("utf-8", "replace").split("\n")
        except OSError:
            return False
        mine = side in self.supervisor.pids and lines[0] == str(self.supervisor.pids[side])
        return mine and len(lines) > 7 and lines[7].strip() == "ready"

    def admin_url(self, side: SideName, password: str, database: str = "postgres") -> str:
        return f"postgresql://{SUPERUSER}:{quote(password, safe='')}@{HOST}:{self.ports[side]}/{database}"

    def populate(self, side: SideName, password: str) -> None:
        """Create the side's database and role with the same SQL files that the containers run."""
        from kit.pair.connect import connect, new_password, scram_verifier
        from kit.pair.populate import create_database, populate

        quiet = "-c log_statement=none"
        with self.explaining(side):
            with connect(self.admin_url(side, password), options=quiet) as connection:
                create_database(connection, DATABASES[side])
            with connect(self.admin_url(side, password, DATABASES[side]), options=quiet) as connection:
                populate(connection, side, USERS[side], scram_verifier(new_password()))

    @contextmanager
    def explaining(self, side: SideName) -> Iterator[None]:
        """Replace an exception of the driver by a PairError that quotes the server's log."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise faults.explain(f"the server {side} failed", f"{error}\n{self.output_since(side, 0)}") from error

    def side(self, name: SideName, template_password: str) -> Side:
        """Set new passwords for the roles, and ask the server for its identity."""
        from kit.pair.connect import connect, identify, new_password, scram_verifier

        admin_password, password = new_password(), new_password()
        port, database, user = self.ports[name], DATABASES[name], USERS[name]
        with self.explaining(name):
            with connect(self.admin_url(name, template_password), options="-c log_statement=none") as connection:
                connection.execute(f"alter role {user} password '{scram_verifier(password)}'")
                connection.execute(f"alter role {SUPERUSER} password '{scram_verifier(admin_password)}'")
            identity = identify(f"postgresql://{user}:{password}@{HOST}:{port}/{database}")
        return Side(
            name=name,
            host=HOST,
            port=port,
            database=database,
            user=user,
            password=password,
            admin=self.admin_url(name, admin_password),
            identity=identity,
            log=self.log(name),
        )


def _whole(reading: int) -> str:
    """Read a pipe whose writers have exited, and close it."""
    with os.fdopen(reading, "rb") as file:
        return (file.read() or b"").decode(errors="replace")


def in_parallel(work: Callable[[SideName], Answer]) -> list[Answer]:
    """Call `work` for production and for test at the same time; return both results in this order."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(SIDES)) as executor:
        return list(executor.map(work, SIDES))


def free_ports(count: int) -> list[int]:
    """Different ports on which nothing listens at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()

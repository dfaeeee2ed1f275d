"""A pair in containers: docker-compose.yml with random passwords, and with free ports unless two are given."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kit import processes, workfolder
from kit.errors import PairError
from kit.pair import places
from kit.pair.embedded import HOST, SUPERUSER, free_ports
from kit.pair.model import DATABASES, SIDES, USERS, Pair, Side, SideName

FILE = Path(__file__).parents[2] / "docker-compose.yml"
UP_S = 300
PROJECT, LOGS = "kit-pair-", "logs-"


@dataclass(frozen=True, slots=True)
class Containers:
    """A docker compose project: its name, its variables, and the directory of the servers' logs."""

    project: str
    logs: str
    variables: dict[str, str] = field(repr=False)

    def as_json(self) -> dict[str, object]:
        """The fields as JSON for the state file."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: Mapping[str, object]) -> Containers:
        """Rebuild from the fields in the state file."""
        return cls(**found)  # type: ignore[arg-type]

    def compose(self, *arguments: str) -> None:
        """Run docker compose on this project. Raises PairError with its output."""
        file = ["--file", str(FILE)] if self.variables else []  # the file requires all variables to be set
        command = ["docker", "compose", *file, "--project-name", self.project, *arguments]
        try:
            answer = processes.run(
                command, timeout_s=UP_S, env=os.environ | self.variables, encoding="utf-8", errors="replace"
            )
        except OSError:  # not only FileNotFoundError: a directory on PATH may be closed to this user
            raise _no_docker() from None
        except subprocess.TimeoutExpired:
            raise PairError(f"docker compose {arguments[0]} did not end within {UP_S} s") from None
        if answer.returncode != 0:
            raise _explain(arguments[0], answer.stderr or answer.stdout)

    def close(self) -> None:
        """End both containers and remove their data and logs."""
        self.compose("down", "--volumes", "--timeout", "5")
        shutil.rmtree(self.logs, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Running:
    """A running pair in containers."""

    pair: Pair
    containers: Containers
    lock: int

    def as_json(self) -> dict[str, object]:
        """The fields as JSON for the state file."""
        return self.containers.as_json()

    def close(self) -> None:
        """End both containers and remove their data and logs."""
        self.containers.close()
        self.release()

    def release(self) -> None:
        """Release the lock: from now on the state file, not this process, keeps the containers."""
        os.close(self.lock)


@contextmanager
def open_compose(ports: tuple[int, int] | None = None) -> Iterator[Pair]:
    """A new pair in containers, taken down at the end."""
    running = start(ports)
    try:
        yield running.pair
    finally:
        running.close()


def start(ports: tuple[int, int] | None = None) -> Running:
    """Start both containers, wait until both are healthy, and ask both servers for their identity."""
    if not FILE.exists():
        raise PairError(f"there is no {FILE.name} in {FILE.parent}", remedy="run this in a checkout of the project")
    if shutil.which("docker") is None:
        raise _no_docker()
    production, test = ports or free_ports(2)
    containers, lock = prepare(production, test)
    try:
        containers.compose("up", "--detach", "--wait")
        return Running(_pair(containers), containers, lock)
    except BaseException as error:
        try:
            containers.close()
        except PairError as closing:
            error.add_note(f"Nor could it be stopped: {closing}")
        os.close(lock)
        raise


def prepare(production_port: int, test_port: int) -> tuple[Containers, int]:
    """Make a project with random passwords and a log directory; return it and the descriptor of its lock."""
    logs, lock = workfolder.make(places.state_directory(), LOGS)
    logs.chmod(0o777)  # the user in the containers has another uid; the parent directory is closed to others
    run = logs.name.removeprefix(LOGS)
    variables = {
        "KIT_RUN": run,
        "KIT_LOG_DIR": str(logs),
        "KIT_PRODUCTION_PORT": str(production_port),
        "KIT_TEST_PORT": str(test_port),
    }
    for role in ("ADMIN", "PRODUCTION", "TEST"):
        variables[f"KIT_{role}_PASSWORD"] = secrets.token_hex(24)
    return Containers(f"{PROJECT}{run}", str(logs), variables), lock


def leftovers() -> list[Containers]:
    """Projects without a state file: their command was killed before it wrote one, or the file is lost."""
    found = workfolder.abandoned((LOGS,), (places.state_file().parent,))
    return [Containers(PROJECT + logs.name.removeprefix(LOGS), str(logs), {}) for logs in found]


def _no_docker() -> PairError:
    return PairError("docker is not installed", remedy="install Docker, or use the embedded pair (kit up)")


def _pair(containers: Containers) -> Pair:
    production, test = (_side(side, containers) for side in SIDES)
    return Pair(production, test, "compose", writable=True)


def _side(name: SideName, containers: Containers) -> Side:
    from kit.pair.connect import identify

    variables, user, database = containers.variables, USERS[name], DATABASES[name]
    port = int(variables[f"KIT_{name.upper()}_PORT"])
    password = variables[f"KIT_{name.upper()}_PASSWORD"]
    return Side(
        name=name,
        host=HOST,
        port=port,
        database=database,
        user=user,
        password=password,
        admin=f"postgresql://{SUPERUSER}:{variables['KIT_ADMIN_PASSWORD']}@{HOST}:{port}/postgres",
        identity=identify(f"postgresql://{user}:{password}@{HOST}:{port}/{database}"),
        log=Path(containers.logs, f"{name}.log"),
    )


def _explain(command: str, said: str) -> PairError:
    from kit.probes.redact import redact

    words = " ".join(redact(said).split())[-400:]
    if "is not a docker command" in said or "unknown command: docker compose" in said or "unknown flag: --file" in said:
        return PairError(
            "docker has no command compose", remedy="install its plugin docker-compose-plugin (2.1 or newer)"
        )
    if "Cannot connect to the Docker daemon" in said or "docker daemon running" in said:
        return PairError("the Docker daemon does not answer", remedy="start Docker, or use the embedded pair (kit up)")
    if "port is already allocated" in said or "address already in use" in said:
        return PairError(f"docker compose {command}: a port is taken ({words})", remedy="let the kit choose free ports")
    return PairError(f"docker compose {command} failed: {words}", remedy="see docker compose logs")

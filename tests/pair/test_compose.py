"""The pair in containers: the file's structure, and how docker's own words are passed on."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from kit.errors import PairError
from kit.pair import compose, down
from kit.pair.embedded import free_ports
from kit.pair.model import DATABASES, SIDES, USERS, SideName
from kit.pair.populate import FILES, SQL
from kit.pair.settings import CLIENT_CHECK, FORGETFUL, LOGGING, cluster_name, embedded_settings

TEXT = compose.FILE.read_text()
FILE = yaml.safe_load(TEXT)


def service(side: SideName) -> dict[str, Any]:
    found: dict[str, Any] = FILE["services"][side]
    return found


def settings(side: SideName) -> dict[str, str]:
    program, *arguments = service(side)["command"]
    assert program == "postgres"
    return dict(argument.removeprefix("-c").split("=", 1) for argument in arguments)


def test_there_are_two_services_and_no_more() -> None:
    """The file has one service for each side."""
    assert list(FILE["services"]) == list(SIDES)


@pytest.mark.parametrize("side", SIDES)
def test_containers_run_with_the_embedded_settings(side: SideName) -> None:
    """What containers log, forget and check is what embedded servers do, setting by setting."""
    shared = LOGGING | FORGETFUL | CLIENT_CHECK
    found = settings(side)
    assert {name: found[name] for name in shared} == shared
    assert shared.items() <= embedded_settings(side, "1", 5432, (18, 0)).items()


@pytest.mark.parametrize("side", SIDES)
def test_a_container_says_its_side_and_run(side: SideName) -> None:
    """The cluster name has the form of the embedded pair's, with the run from a variable."""
    assert settings(side)["cluster_name"] == cluster_name(side, "${KIT_RUN:-compose}")


@pytest.mark.parametrize("side", SIDES)
def test_a_container_logs_to_a_file_that_can_be_read_outside(side: SideName) -> None:
    """The log is one file of the side's name in the directory that is mounted."""
    found = settings(side)
    assert (found["logging_collector"], found["log_filename"], found["log_file_mode"]) == ("on", f"{side}.log", "0644")
    assert f"${{KIT_LOG_DIR:-server-logs}}:{found['log_directory']}" in service(side)["volumes"]
    assert "server-logs" in FILE["volumes"]


@pytest.mark.parametrize(("side", "port"), [("production", 5432), ("test", 5433)])
def test_ports_are_published_on_the_loopback_alone(side: SideName, port: int) -> None:
    """Each server is reached at 127.0.0.1 only, on the report's port unless a variable names another."""
    assert service(side)["ports"] == [f"127.0.0.1:${{KIT_{side.upper()}_PORT:-{port}}}:5432"]


@pytest.mark.parametrize("side", SIDES)
def test_the_same_sql_is_mounted_in_order(side: SideName) -> None:
    """The SQL files of the embedded pair are mounted read-only where the image runs them, in their order."""
    mounted = [volume for volume in service(side)["volumes"] if "initdb.d" in volume]
    wanted = [
        f"./{(SQL / name).relative_to(compose.FILE.parent)}:/docker-entrypoint-initdb.d/{number}-{name}:ro"
        for number, name in enumerate(FILES[side], 1)
    ]
    assert mounted == wanted
    assert all((SQL / name).exists() for name in FILES[side])


@pytest.mark.parametrize("side", SIDES)
def test_no_password_is_in_the_file(side: SideName) -> None:
    """Every password is a variable without which docker compose refuses to start."""
    environment = service(side)["environment"]
    required = r"\$\{KIT_ADMIN_PASSWORD:\?[^}]+\}"
    assert re.fullmatch(required, environment["POSTGRES_PASSWORD"])
    role = rf"-ckit\.role={USERS[side]} -ckit\.password=\$\{{KIT_{side.upper()}_PASSWORD:\?[^}}]+\}}"
    assert re.fullmatch(role, environment["PGOPTIONS"])
    assert environment["POSTGRES_DB"] == DATABASES[side]
    assert "POSTGRES_HOST_AUTH_METHOD" not in TEXT


@pytest.mark.parametrize("side", SIDES)
def test_health_is_asked_over_tcp(side: SideName) -> None:
    """The check goes to the address, because the server that runs the SQL listens on its socket only."""
    check = service(side)["healthcheck"]
    assert check["test"][:3] == ["CMD", "pg_isready", "--host=127.0.0.1"]
    assert check["retries"] >= 30


def test_every_variable_is_set_by_the_kit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What `kit up --compose` hands over is what the file asks for, with new passwords every time."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path))
    asked = set(re.findall(r"\$\{(\w+)", TEXT))
    (first, one), (second, other) = compose.prepare(1, 2), compose.prepare(1, 2)
    assert set(first.variables) == asked
    for name in (name for name in asked if name.endswith("_PASSWORD")):
        assert len(first.variables[name]) >= 32
        assert first.variables[name] != second.variables[name]
        assert first.variables[name] not in repr(first)
    os.close(one)
    os.close(other)


DOCKER = """#!/bin/sh
echo "$KIT_PRODUCTION_PORT $@" >> "{record}"
case "$*" in *{refuses}*) echo "{says}" >&2; exit 1;; esac
"""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A program docker that writes down how it was called."""
    record = tmp_path / "calls"
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def install(refuses: str = "nothing", says: str = "") -> Path:
        program = tmp_path / "docker"
        program.write_text(DOCKER.format(record=record, refuses=refuses, says=says))
        program.chmod(0o755)
        return record

    return install


@pytest.mark.parametrize(
    ("says", "meaning"),
    [
        ("docker: unknown command: docker compose", "docker has no command compose"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "the Docker daemon does not answer"),
        ("Bind for 127.0.0.1:5432 failed: port is already allocated", "a port is taken"),
        ("some other thing", "docker compose up failed: some other thing"),
    ],
)
def test_dockers_refusal_is_passed_on(docker: Any, says: str, meaning: str) -> None:
    """What docker says is put so that a person can act on it, and a started half is taken down."""
    record = docker("up", says)
    with pytest.raises(PairError, match=meaning):
        compose.start((5432, 5433))
    first, last = record.read_text().splitlines()
    assert first.endswith(" up --detach --wait")
    assert last.endswith(" down --volumes --timeout 5")


def test_servers_that_are_not_there_are_taken_down_again(docker: Any, tmp_path: Path) -> None:
    """Containers that docker calls healthy and that do not answer are an error, and nothing of them stays."""
    record = docker()
    ports = free_ports(2)
    with pytest.raises(PairError, match=f"nothing listens on 127.0.0.1:{ports[0]}"):
        compose.start((ports[0], ports[1]))
    assert (
        record.read_text().splitlines()[0].startswith(f"{ports[0]} compose --file {compose.FILE} --project-name kit-")
    )
    assert list((tmp_path / "state").iterdir()) == []


def test_a_machine_without_docker_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the program the error names the embedded pair as the way out."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PairError, match="docker is not installed"):
        compose.start((1, 2))
    assert list(tmp_path.iterdir()) == []


def test_containers_survive_the_state_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is kept of a project between commands is enough to take it down."""
    monkeypatch.setenv("KIT_STATE_DIR", str(tmp_path))
    containers, lock = compose.prepare(1, 2)
    assert compose.Containers.from_json(json.loads(json.dumps(containers.as_json()))) == containers
    os.close(lock)


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_containers_without_a_state_file_are_ended(docker: Any, tmp_path: Path, content: str | None) -> None:
    """What a killed command or a damaged state file has lost is found by its logs; what is just being made is left."""
    record = docker()
    lost, lock = compose.prepare(1, 2)
    os.close(lock)
    made, held = compose.prepare(3, 4)
    if content is not None:
        (tmp_path / "state" / "pair.json").write_text(content)
    assert down() is True
    assert record.read_text().strip() == f"compose --project-name {lost.project} down --volumes --timeout 5"
    assert {path.name for path in (tmp_path / "state").iterdir()} == {"lock", Path(made.logs).name}
    os.close(held)

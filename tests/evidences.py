"""Hand-made evidence for tests of pure rules: one request that one server answered, seen by both witnesses."""

from __future__ import annotations

from dataclasses import replace

from kit.evidence.model import Backend, Connection, Engine, Evidence, Frame, Process, Request, Use
from kit.evidence.verdict import NEEDED_PROBES

SERVERS = {"111/kit-production/1/primary": "production", "222/kit-test/1/primary": "test"}
ROUTE = Frame("app/routers/sites.py", 20, "list_sites")


def answered_by(side: str, *, backend_pid: int = 7, request: str | None = "r1") -> Evidence:
    """Evidence of one run in which `side` answered one statement of one request."""
    identity = next(server for server, name in SERVERS.items() if name == side).split("/")
    observed: dict[str, str | None] = {
        "system_identifier": identity[0], "cluster_name": identity[1], "timeline": identity[2], "standby": "false",
        "backend_pid": str(backend_pid),
    }
    return Evidence(
        exit_code=0,
        processes=(Process(
            pid=1, ppid=0, argv=("pytest",), executable="python", python="3.11", parent=None, probes=NEEDED_PROBES,
            ended=True,
        ),),
        stacks=((ROUTE,),),
        engines=(Engine(at_s=0.1, stack=0, engine="e1", url="postgresql://u:***@h/db", dialect="postgresql",
                        driver="asyncpg", pool="QueuePool"),),
        connections=(Connection(at_s=0.2, stack=0, connection="c1", driver="asyncpg", configured="postgresql://u@h/db",
                                observed=observed, pooled=True),),
        requests=(Request(at_s=0.2, stack=0, number="r1", app="a1", type="http", method="GET", path="/sites"),),
        uses=(Use(at_s=0.3, stack=0, connection="c1", engine="e1", request=request),),
        backends=(
            Backend(side=side, pid=backend_pid, database="db", user="u", application="", statements=1, writes=0),
        ),
        sides=SERVERS,
    )


def without_probe(evidence: Evidence, name: str) -> Evidence:
    """The same evidence from a process without one probe."""
    process = evidence.processes[0]
    return replace(evidence, processes=(replace(process, probes=tuple(set(process.probes) - {name})),))

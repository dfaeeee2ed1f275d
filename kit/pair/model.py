"""The values of a pair: two sides, each a live server with the identity that it reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast
from urllib.parse import quote

SideName = Literal["production", "test"]
Kind = Literal["embedded", "compose", "external"]

SIDES: tuple[SideName, SideName] = ("production", "test")
DATABASES: dict[SideName, str] = {"production": "projectdb", "test": "testdb"}
USERS: dict[SideName, str] = {"production": "projectuser", "test": "testuser"}
SEEDED_SITES = 731

# Every column is text, because system_identifier and oids exceed the integers of some readers (JSON, JavaScript).
IDENTITY_SQL = """\
select (pg_control_system()).system_identifier::text as system_identifier,
       current_setting('cluster_name') as cluster_name,
       (pg_control_checkpoint()).timeline_id::text as timeline,
       pg_is_in_recovery()::text as standby,
       to_char(pg_postmaster_start_time() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as started,
       host(inet_server_addr()) as host,
       coalesce(inet_server_port()::text, current_setting('port')) as port,
       current_database()::text as database,
       (select oid::text from pg_database where datname = current_database()) as database_oid,
       session_user::text as "user",
       current_setting('server_version') as version,
       pg_backend_pid()::text as backend_pid"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity that a server reports over one connection.

    `started` is ISO 8601 in UTC; `host` is None over a unix socket; `backend_pid` is the process that served this
    connection, with which its entries in the server's log are found.
    """

    system_identifier: str
    cluster_name: str
    timeline: int
    standby: bool
    started: str
    host: str | None
    port: int
    database: str
    database_oid: int
    user: str
    version: str
    backend_pid: int

    @classmethod
    def from_row(cls, row: Sequence[str | None]) -> Identity:
        """Build an Identity from a row of IDENTITY_SQL."""
        system_identifier, cluster_name, timeline, standby, started, host, *rest = row
        port, database, database_oid, user, version, backend_pid = (cast(str, value) for value in rest)
        return cls(
            system_identifier=cast(str, system_identifier),
            cluster_name=cluster_name or "",
            timeline=int(cast(str, timeline)),
            standby=standby == "true",
            started=cast(str, started),
            host=host,
            port=int(port),
            database=database,
            database_oid=int(database_oid),
            user=user,
            version=version,
            backend_pid=int(backend_pid),
        )

    @property
    def server(self) -> str:
        """The server's identity without host and port: equal exactly when one server answered both connections."""
        role = "standby" if self.standby else "primary"
        return f"{self.system_identifier}/{self.cluster_name}/{self.timeline}/{role}"


@dataclass(frozen=True, slots=True)
class Side:
    """One live server with its database.

    `admin` is a superuser's URL, or None when the kit has none; `log` is the server's log file, or None when it is not
    readable from here.
    """

    name: SideName
    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    admin: str | None = field(repr=False)
    identity: Identity
    log: Path | None

    def url(self, driver: str | None = None) -> str:
        """The URL with its password; `driver` is a driver of SQLAlchemy (`asyncpg`), None gives a plain URL."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{quote(self.user, safe='')}:{quote(self.password, safe='')}@{self._place}"

    @property
    def redacted(self) -> str:
        """The URL without its password, safe to show."""
        return f"postgresql://{quote(self.user, safe='')}@{self._place}"

    @property
    def _place(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}/{quote(self.database, safe='')}"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two running servers: production with its sites, and test without.

    `writable` says whether the kit itself may write to them: always to servers that it started, to others only with
    their owner's permission.
    """

    production: Side
    test: Side
    kind: Kind
    writable: bool

    @property
    def sides(self) -> tuple[Side, Side]:
        """Production, then test."""
        return (self.production, self.test)

    def environ(self) -> dict[str, str]:
        """The variables with which another process finds this pair. They contain passwords."""
        found = {"KIT_PAIR_KIND": self.kind, "KIT_PAIR_WRITABLE": "1" if self.writable else "0"}
        for side in self.sides:
            prefix = f"KIT_{side.name.upper()}_"
            found[prefix + "URL"] = side.url()
            if side.admin is not None:
                found[prefix + "ADMIN_URL"] = side.admin
            if side.log is not None:
                found[prefix + "LOG"] = str(side.log)
        return found

"""peewee: the stack that made each Database object, and the connections opened by it."""

from __future__ import annotations

from typing import Any, Optional

from .databases import Databases
from .hooks import Hooks
from .objects import attribute, bases, held_by, path_of, qualname_of
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .sources import Sources

_DIALECTS = {"SqliteDatabase": "sqlite", "PostgresqlDatabase": "postgresql", "MySQLDatabase": "mysql"}


class PeeweeProbe:
    """Treats a Database object as an engine: it holds the URL, and connects on first use."""

    def __init__(self, databases: Databases, sources: Optional[Sources]) -> None:
        self._databases, self._sources = databases, sources

    def install(self, hooks: Hooks) -> None:
        probe = self

        def naming(original: Any) -> Any:
            def init(database: Any, *args: Any, **kwargs: Any) -> None:
                original(database, *args, **kwargs)
                probe._named(database)
            return init

        def connecting(original: Any) -> Any:
            def connect(database: Any, *args: Any, **kwargs: Any) -> Any:
                with probe._databases.opening_for(database):
                    return original(database, *args, **kwargs)
            return connect

        def watch(peewee: Any) -> None:
            hooks.replace(peewee.Database, "init", naming)
            hooks.replace(peewee.Database, "connect", connecting)

        hooks.when_imported("peewee", watch)

    @quietly
    def _named(self, database: Any) -> None:
        kinds = [_DIALECTS.get(qualname_of(base)) for base in bases(type(database))]
        dialect = next((kind for kind in kinds if kind), None)
        name = path_of(attribute(database, "database"))
        if dialect is not None and name:
            self._databases.made_pool(
                database, "peewee", _url(dialect, name, database), None, self._sources, dialect
            )


def _url(dialect: str, name: str, database: Any) -> str:
    """Return the URL of a Database object; its name can be a URL itself."""
    if "://" in name:
        return name
    if dialect == "sqlite":
        return f"sqlite:///{'' if name == ':memory:' else name}"
    given = held_by(database).get("connect_params")
    told = {key: given.get(key) for key in ("user", "host", "port")} if type(given) is dict else {}
    user, host, port = (told.get(key) or "" for key in ("user", "host", "port"))
    return f"{dialect}://{f'{user}@' if user else ''}{host}{f':{port}' if port else ''}/{name}"

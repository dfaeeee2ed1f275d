"""Changes of engines, pools and sessions."""

from __future__ import annotations

from typing import Any, List, Optional

from ..hooks import with_arguments_of
from ..own import os, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from .change import Change


def no_pool(change: Change) -> None:
    """Each connection is closed when it is given back."""
    def returning(original: Any) -> Any:
        def _do_return_conn(pool: Any, record: Any) -> None:
            change.took_hold()
            try:
                record.close()
            finally:
                pool._dec_overflow()
        return _do_return_conn

    change.hooks.when_imported(
        "sqlalchemy.pool.impl", lambda pools: change.hooks.replace(pools.QueuePool, "_do_return_conn", returning)
    )
    change.hooks.when_imported("asyncpg.pool", lambda pools: _no_pool_of_asyncpg(change, pools.Pool))


def _no_pool_of_asyncpg(change: Change, pool_class: Any) -> None:
    """It opens none in advance, lets none do two queries, and opens each on the loop that asks for it."""
    import asyncio

    def making(original: Any) -> Any:
        def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
            original(pool, *args, **kwargs)
            pool._minsize = pool._initsize = pool._max_queries = 0
        return __init__

    def acquiring(original: Any) -> Any:
        async def _acquire(pool: Any, *args: Any, **kwargs: Any) -> Any:
            change.took_hold()
            loop = asyncio.get_running_loop()
            if pool._loop is not loop and pool._queue is not None:
                pool._loop, pool._queue = loop, type(pool._queue)(maxsize=pool._maxsize)
                for holder in pool._holders:
                    if holder._in_use is None:
                        pool._queue.put_nowait(holder)
            return await original(pool, *args, **kwargs)
        return _acquire

    change.hooks.replace(pool_class, "__init__", making)
    change.hooks.replace(pool_class, "_acquire", acquiring)


def no_routing(change: Change) -> None:
    """A session with an engine of its own sends all to that one."""
    def watch(orm: Any) -> None:
        by_itself = orm.Session.get_bind

        def making(original: Any) -> Any:
            def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                original(session, *args, **kwargs)
                binds = getattr(session, "binds", None) or getattr(session, "_Session__binds", None)
                routed = type(session).get_bind is not by_itself or binds
                if routed and session.bind is not None:
                    change.took_hold()
                    own = session.bind
                    session.get_bind = lambda *args, **kwargs: own
            return __init__

        change.hooks.replace(orm.Session, "__init__", making)

    change.hooks.when_imported("sqlalchemy.orm", watch)


def no_creator(change: Change) -> None:
    """Engines connect to where their URLs lead."""
    def making(original: Any) -> Any:
        def create_engine(url: Any, **kwargs: Any) -> Any:
            if kwargs.pop("creator", None) is not None:
                change.took_hold()
            return original(url, **kwargs)
        return create_engine

    def listening(original: Any) -> Any:
        def listen(target: Any, identifier: str, *args: Any, **kwargs: Any) -> None:
            if identifier == "do_connect":
                change.took_hold()
            else:
                original(target, identifier, *args, **kwargs)
        return listen

    change.hooks.when_imported(
        "sqlalchemy.engine.create", lambda module: change.hooks.replace(module, "create_engine", making)
    )
    change.hooks.when_imported(
        "sqlalchemy.event.api", lambda module: change.hooks.replace(module, "listen", listening)
    )


def one_in_memory(change: Change) -> None:
    """An engine in memory has one connection, which all share."""
    def making(original: Any) -> Any:
        def create_engine(url: Any, **kwargs: Any) -> Any:
            from sqlalchemy.engine import make_url
            from sqlalchemy.pool import StaticPool

            made = make_url(url)
            if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
                change.took_hold()
                arguments = {**(kwargs.get("connect_args") or {}), "check_same_thread": False}
                kwargs = {**kwargs, "poolclass": StaticPool, "connect_args": arguments}
            return original(url, **kwargs)
        return create_engine

    change.hooks.when_imported(
        "sqlalchemy.engine.create", lambda module: change.hooks.replace(module, "create_engine", making)
    )


def commit(change: Change) -> None:
    """What is written to a session at a line is committed."""
    wanted, line = os.path.realpath(change.fields["file"]), change.fields["line"]

    def writing(original: Any) -> Any:
        def write(session: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(session, *args, **kwargs)
            if _called_from(wanted, line) and session.in_transaction() and not session._flushing:
                change.took_hold()
                session.commit()
            return result
        return write

    def watch(orm: Any) -> None:
        for name in ("flush", "execute"):
            change.hooks.replace(orm.Session, name, writing)

    change.hooks.when_imported("sqlalchemy.orm", watch)


def redirect_session(change: Change) -> None:
    """A session that a line makes is bound to the engine that another made."""
    file, engine_file = os.path.realpath(change.fields["file"]), os.path.realpath(change.fields["engine_file"])
    made: List[Any] = []

    def making_engine(original: Any) -> Any:
        def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
            original(engine, *args, **kwargs)
            if _called_from(engine_file, change.fields["engine_line"]):
                made.append(engine)
        return with_arguments_of(original, __init__)

    def making_session(original: Any) -> Any:
        def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
            original(session, *args, **kwargs)
            if made and _called_from(file, change.fields["line"]):
                change.took_hold()
                session.bind = made[-1]
        return __init__

    change.hooks.when_imported(
        "sqlalchemy.engine.base", lambda module: change.hooks.replace(module.Engine, "__init__", making_engine)
    )
    change.hooks.when_imported(
        "sqlalchemy.orm", lambda module: change.hooks.replace(module.Session, "__init__", making_session)
    )


def redirect_connection(change: Change) -> None:
    """What a function connects to is what the tests' code does."""
    from .redirected import Redirected

    redirected = Redirected(change.fields, change.took_hold)
    redirected.install(change.hooks)
    change.around.append(redirected.install_around)


def lead_elsewhere(change: Change) -> None:
    """What lines make leads to another database than it names."""
    from .elsewhere import Elsewhere

    elsewhere = Elsewhere(change.fields, change.took_hold)
    elsewhere.install(change.hooks)
    change.around.append(elsewhere.install_around)


def _called_from(file: str, line: int) -> bool:
    frame: Optional[Any] = sys._getframe(2)
    for _ in range(60):
        if frame is None:
            frame = _outside_of_greenlet()
            if frame is None:
                return False
        if frame.f_lineno == line and os.path.realpath(frame.f_code.co_filename) == file:
            return True
        frame = frame.f_back
    return False


def _outside_of_greenlet() -> Optional[Any]:
    getcurrent = getattr(sys.modules.get("greenlet"), "getcurrent", None)
    parent = getcurrent().parent if getcurrent is not None else None
    return parent.gr_frame if parent is not None else None

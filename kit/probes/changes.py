"""Experiments: one thing changed in a run, in memory only, to see what it decides. Nobody's files are touched.

Each change is a small object; `ISOLATION_PROBES_CHANGES` names a file with a list of them:

    {"op": "set", "name": N, "value": V}         the variable has this value from the start
    {"op": "pin", "name": N, "value": V}         the variable has this value throughout, whatever is written to it
    {"op": "unset", "name": N}                   the variable is not there at the start
    {"op": "hand-on", "name": N}                 a process that is started gets this variable, if this one has it
    {"op": "no-dotenv", "names": [N, ...], "file": F}   files of variables, or this one alone, do not hold these
    {"op": "edit", "file": F, "lines": [[first, last, text], ...]}   these lines of a module read otherwise
    {"op": "edit-data", "file": F, "lines": [[first, last, text], ...]}   these lines of a file of settings
    {"op": "path-first", "folder": F}            modules are looked for in this folder first
    {"op": "leave-out", "files": [...], "tests": [...]}              these are not collected
    {"op": "only", "files": [...], "tests": [...]}                   nothing else is run
    {"op": "first", "tests": [...]}              these run before all others, in this order
    {"op": "no-pool"}                            each connection is closed when it is given back
    {"op": "no-routing"}                         a session with an engine of its own sends all to that one
    {"op": "no-creator"}                         engines connect to where their URLs lead
    {"op": "one-in-memory"}                      an engine in memory has one connection, which all share
    {"op": "restore-folder"}                     the working directory is put back after each test
    {"op": "clear-caches"}                       functools' caches of the application are empty before each test
    {"op": "apply-override", "key": K, "to": D}  the override that is set for K is used for D, in every application;
                                                 with "kept" it is used when it has been taken away, too
    {"op": "redirect-call", "callable": D}       a plain call of D gives what the override of D gives
    {"op": "rebind-copies", "module": M, "name": N}   whoever copied M.N gets what M.N is set to
    {"op": "no-lifespan"}                        applications do not run their lifespan
    {"op": "no-background", "function": F}       this background task is not run
    {"op": "commit", "file": F, "line": L}       what is written to a session here is committed
    {"op": "redirect-session", "file": F, "line": L, "engine_file": G, "engine_line": M}
                                                 a session made here is bound to the engine made there
    {"op": "redirect-connection", "file": F, "function": N, "made_file": G, "made_line": M}
                                                 what this function connects to is what the tests' code there does
    {"op": "lead-elsewhere", "frames": [[F, L], ...], "engine_file": G, "engine_line": M, "nowhere": H}
                                                 what an engine or a connection made by way of these lines leads to is
                                                 the engine made there where it can be, else the empty file H or nothing
    ... with "of": U, "to": V                    so that engines made there, with the URL U, lead to where V does
    {"op": "remember", "file": F}                what variables of databases are set to is kept in this file, in full
    {"op": "stop"}                               no further test is begun once a connection has been refused

They are put in before the probes, or around them, so that the probes see the changed run. Each says in the record that
it was `made` when it took hold: an experiment in which nothing took hold shows nothing.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import types
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple
from weakref import WeakSet

from .callables import describe, known_as
from .hooks import Hooks, with_arguments_of
from .recorder import Recorder

CHANGES_VARIABLE = "ISOLATION_PROBES_CHANGES"


class Changes:
    """The changes of this run. An unknown `op` is refused with ValueError: the kit and its probes differ in version."""

    def __init__(self, recorder: Recorder, changes: List[Dict[str, Any]]) -> None:
        self._recorder, self._changes = recorder, changes
        self._made: Dict[int, bool] = {}
        self._around: List[Callable[[Hooks], None]] = []
        self.refused = False  # a connection was stopped: its database is not allowed

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        makers: Dict[str, Callable[[Dict[str, Any]], None]] = {
            "set": self._set, "pin": self._pin, "unset": self._unset, "no-dotenv": self._no_dotenv, "edit": self._edit,
            "edit-data": self._edit_data, "no-creator": self._no_creator, "restore-folder": self._restore_folder,
            "no-routing": self._no_routing,
            "one-in-memory": self._one_in_memory,
            "path-first": self._path_first, "hand-on": self._hand_on,
            "leave-out": self._choose, "only": self._choose, "first": self._choose, "no-pool": self._no_pool,
            "clear-caches": self._clear_caches, "apply-override": self._apply_override,
            "redirect-call": self._redirect_call, "rebind-copies": self._rebind_copies,
            "no-lifespan": self._no_lifespan, "no-background": self._no_background, "commit": self._commit,
            "stop": self._stop, "redirect-session": self._redirect_session, "remember": self._remember,
            "lead-elsewhere": self._lead_elsewhere, "redirect-connection": self._redirect_connection,
        }
        for change in self._changes:
            if change["op"] not in makers:
                raise ValueError(f"no such change: {change['op']}")
            makers[change["op"]](change)

    def install_around(self, hooks: Hooks) -> None:
        """Put in what must be around the probes; to be called when those are in."""
        for install in self._around:
            install(hooks)

    def _took_hold(self, change: Dict[str, Any]) -> None:
        if not self._made.get(id(change)):
            self._made[id(change)] = True
            self._recorder.plain("change", op=change["op"], number=self._changes.index(change))

    # --- variables ---------------------------------------------------------------------------------------------------

    def _set(self, change: Dict[str, Any]) -> None:
        os.environ[change["name"]] = change["value"]
        self._took_hold(change)

    def _pin(self, change: Dict[str, Any]) -> None:
        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                if name == change["name"]:
                    self._took_hold(change)
                    value = change["value"]
                original(environ, name, value)
            return __setitem__

        self._hooks.replace(type(os.environ), "__setitem__", writing)

    def _unset(self, change: Dict[str, Any]) -> None:
        if os.environ.pop(change["name"], None) is not None:
            self._took_hold(change)

    def _hand_on(self, change: Dict[str, Any]) -> None:
        name, position = change["name"], 10  # of `env` among Popen's arguments

        def starting(original: Any) -> Any:
            def __init__(child: Any, *args: Any, **kwargs: Any) -> None:
                given = kwargs.get("env") if len(args) <= position else args[position]
                if given is not None and name not in given and name in os.environ:
                    self._took_hold(change)
                    handed = {**given, name: os.environ[name]}
                    if len(args) <= position:
                        kwargs["env"] = handed
                    else:
                        args = (*args[:position], handed, *args[position + 1:])
                original(child, *args, **kwargs)
            return __init__

        self._hooks.when_imported(
            "subprocess", lambda module: self._hooks.replace(module.Popen, "__init__", starting)
        )

    def _remember(self, change: Dict[str, Any]) -> None:
        from .environ import names_a_database, names_a_mode

        def writing(original: Any) -> Any:
            def __setitem__(environ: Any, name: Any, value: Any) -> None:
                original(environ, name, value)
                if isinstance(name, str) and (names_a_database(name, value) or names_a_mode(name)):
                    number = os.open(change["file"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                    try:
                        os.write(number, (json.dumps([name, value]) + "\n").encode())
                    finally:
                        os.close(number)
            return __setitem__

        self._hooks.replace(type(os.environ), "__setitem__", writing)

    def _no_dotenv(self, change: Dict[str, Any]) -> None:
        names, only = set(change["names"]), change.get("file")

        def without(found: Any, file: Any) -> Any:
            if only is not None and (file is None or os.path.realpath(file) != os.path.realpath(only)):
                return found
            for name in list(found):
                if name.upper() in names:
                    del found[name]
                    self._took_hold(change)
            return found

        def reading_dotenv(original: Any) -> Any:
            def read(dotenv: Any, *args: Any, **kwargs: Any) -> Any:
                return without(original(dotenv, *args, **kwargs), getattr(dotenv, "dotenv_path", None))
            return read

        def reading_config(original: Any) -> Any:
            def _read_file(config: Any, file: Any, *args: Any, **kwargs: Any) -> Any:
                return without(original(config, file, *args, **kwargs), file)
            return _read_file

        def making(original: Any) -> Any:
            def __init__(repository: Any, source: Any, *args: Any, **kwargs: Any) -> None:
                original(repository, source, *args, **kwargs)
                without(repository.data, source)
            return __init__

        for module, owner, name, make in (
            ("dotenv.main", "DotEnv", "dict", reading_dotenv),
            ("starlette.config", "Config", "_read_file", reading_config),
            ("decouple", "RepositoryEnv", "__init__", making),
        ):
            self._hooks.when_imported(module, self._replacing(owner, name, make))

    def _replacing(self, owner: str, name: str, make: Callable[[Any], Any]) -> Callable[[Any], None]:
        return lambda module: self._hooks.replace(getattr(module, owner), name, make)

    # --- text --------------------------------------------------------------------------------------------------------

    def _edit(self, change: Dict[str, Any]) -> None:
        from importlib.machinery import SourceFileLoader

        wanted = os.path.realpath(change["file"])
        sys.dont_write_bytecode = True  # what is made of the changed text must not be found by another run
        taken = self._took_hold

        def getting(original: Any) -> Any:
            def get_code(loader: Any, fullname: str) -> Any:
                path = loader.get_filename(fullname)
                if os.path.realpath(path) != wanted:
                    return original(loader, fullname)
                taken(change)
                return compile(_edited(path, change["lines"]), path, "exec", dont_inherit=True)
            return get_code

        def rewriting(original: Any) -> Any:
            def _rewrite_test(path: Any, config: Any) -> Any:
                if os.path.realpath(path) != wanted:
                    return original(path, config)
                taken(change)
                return os.stat(path), compile(_edited(path, change["lines"]), str(path), "exec", dont_inherit=True)
            return _rewrite_test

        def reading(original: Any) -> Any:
            def _read_pyc(source: Any, *args: Any, **kwargs: Any) -> Any:
                return None if os.path.realpath(source) == wanted else original(source, *args, **kwargs)
            return _read_pyc

        def watch(rewrite: Any) -> None:
            self._hooks.replace(rewrite, "_rewrite_test", rewriting)
            self._hooks.replace(rewrite, "_read_pyc", reading)

        self._hooks.replace(SourceFileLoader, "get_code", getting)
        self._hooks.when_imported("_pytest.assertion.rewrite", watch)

    def _edit_data(self, change: Dict[str, Any]) -> None:
        import builtins
        import io

        wanted = os.path.realpath(change["file"])
        taken = self._took_hold

        def opening(original: Any) -> Any:
            def open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
                named = isinstance(file, (str, os.PathLike))
                if not named or "r" not in mode or os.path.realpath(file) != wanted:
                    return original(file, mode, *args, **kwargs)
                taken(change)
                text = _edited(file, change["lines"], original)
                return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
            return open

        for module in (builtins, io):
            self._hooks.replace(module, "open", opening)

    def _path_first(self, change: Dict[str, Any]) -> None:
        from importlib.machinery import PathFinder

        taken = self._took_hold

        class First:
            """Goes before sys.path, to whose front others will add."""

            @staticmethod
            def find_spec(fullname: str, path: Any = None, target: Any = None) -> Any:
                spec = PathFinder.find_spec(fullname, [change["folder"]]) if path is None else None
                if spec is None or spec.origin is None:
                    return None
                taken(change)
                return spec

        finder: Any = First
        sys.meta_path.insert(0, finder)
        self._hooks.on_removal(lambda: _take_out(sys.meta_path, finder))

    # --- tests -------------------------------------------------------------------------------------------------------

    def _choose(self, change: Dict[str, Any]) -> None:
        from .unittest_changes import Choice

        self._plug_in(lambda hookimpl: self._chooser(change, hookimpl))
        Choice(change, lambda: self._took_hold(change)).install(self._hooks)

    def _plug_in(self, make: Callable[[Any], Any]) -> None:
        def watch(config: Any) -> None:
            plugin = make(config.hookimpl)

            def configuring(original: Any) -> Any:
                def get_config(*args: Any, **kwargs: Any) -> Any:
                    configured = original(*args, **kwargs)
                    configured.pluginmanager.register(plugin)
                    return configured
                return get_config

            self._hooks.replace(config, "get_config", configuring)

        self._hooks.when_imported("_pytest.config", watch)

    def _stop(self, change: Dict[str, Any]) -> None:
        from .unittest_changes import stop_when

        stop_when(lambda: self.refused, self._hooks)

        def make(hookimpl: Any) -> Any:
            changes = self

            class Stopping:
                @hookimpl(hookwrapper=True, trylast=True)
                def pytest_runtest_protocol(self, item: Any) -> Any:
                    yield
                    self._look(item.session)

                @hookimpl(hookwrapper=True, trylast=True)
                def pytest_collection(self, session: Any) -> Any:
                    yield
                    self._look(session)

                def _look(self, session: Any) -> None:
                    if changes.refused:
                        session.shouldstop = "a connection was refused: its database is not allowed"

            return Stopping()

        self._plug_in(make)

    def _restore_folder(self, change: Dict[str, Any]) -> None:
        def make(hookimpl: Any) -> Any:
            taken = self._took_hold

            class Restoring:
                @hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_runtest_protocol(self) -> Any:
                    before = os.getcwd()
                    yield
                    if not os.path.isdir(before) or os.getcwd() == before:
                        return
                    os.chdir(before)
                    taken(change)

            return Restoring()

        self._plug_in(make)

    def _chooser(self, change: Dict[str, Any], hookimpl: Any) -> Any:
        op = change["op"]
        files = {os.path.realpath(file) for file in change.get("files", ())}
        tests = list(change.get("tests", ()))
        taken = self._took_hold

        class Chooser:
            @hookimpl(hookwrapper=True, tryfirst=True)
            def pytest_pycollect_makemodule(self, parent: Any) -> Any:
                outcome = yield
                module = outcome.get_result()
                path = os.path.realpath(str(getattr(module, "path", None) or module.fspath))
                named = {test.partition("::")[0] for test in tests}
                nodeid = module.nodeid.partition("::")[0]
                if path in files if op == "leave-out" else op == "only" and path not in files and nodeid not in named:
                    taken(change)
                    outcome.force_result(_empty_module(module))

            @hookimpl(hookwrapper=True, trylast=True)
            def pytest_collection_modifyitems(self, config: Any, items: Any) -> Any:
                yield
                kept = _chosen(op, items, tests, files)
                if [item.nodeid for item in kept] != [item.nodeid for item in items]:
                    taken(change)
                    items[:] = kept

        return Chooser()

    # --- databases ---------------------------------------------------------------------------------------------------

    def _no_pool(self, change: Dict[str, Any]) -> None:
        def returning(original: Any) -> Any:
            def _do_return_conn(pool: Any, record: Any) -> None:
                self._took_hold(change)
                try:
                    record.close()
                finally:
                    pool._dec_overflow()
            return _do_return_conn

        self._hooks.when_imported(
            "sqlalchemy.pool.impl", lambda pools: self._hooks.replace(pools.QueuePool, "_do_return_conn", returning)
        )
        self._hooks.when_imported("asyncpg.pool", lambda pools: self._no_pool_of_asyncpg(change, pools.Pool))

    def _no_pool_of_asyncpg(self, change: Dict[str, Any], pool_class: Any) -> None:
        """It opens none in advance, lets none do two queries, and opens each on the loop that asks for it."""
        import asyncio

        def making(original: Any) -> Any:
            def __init__(pool: Any, *args: Any, **kwargs: Any) -> None:
                original(pool, *args, **kwargs)
                pool._minsize = pool._initsize = pool._max_queries = 0
            return __init__

        def acquiring(original: Any) -> Any:
            async def _acquire(pool: Any, *args: Any, **kwargs: Any) -> Any:
                self._took_hold(change)
                loop = asyncio.get_running_loop()
                if pool._loop is not loop and pool._queue is not None:
                    pool._loop, pool._queue = loop, type(pool._queue)(maxsize=pool._maxsize)
                    for holder in pool._holders:
                        if holder._in_use is None:
                            pool._queue.put_nowait(holder)
                return await original(pool, *args, **kwargs)
            return _acquire

        self._hooks.replace(pool_class, "__init__", making)
        self._hooks.replace(pool_class, "_acquire", acquiring)

    def _no_routing(self, change: Dict[str, Any]) -> None:
        def watch(orm: Any) -> None:
            by_itself = orm.Session.get_bind

            def making(original: Any) -> Any:
                def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                    original(session, *args, **kwargs)
                    binds = getattr(session, "binds", None) or getattr(session, "_Session__binds", None)
                    routed = type(session).get_bind is not by_itself or binds
                    if routed and session.bind is not None:
                        self._took_hold(change)
                        own = session.bind
                        session.get_bind = lambda *args, **kwargs: own
                return __init__

            self._hooks.replace(orm.Session, "__init__", making)

        self._hooks.when_imported("sqlalchemy.orm", watch)

    def _no_creator(self, change: Dict[str, Any]) -> None:
        def making(original: Any) -> Any:
            def create_engine(url: Any, **kwargs: Any) -> Any:
                if kwargs.pop("creator", None) is not None:
                    self._took_hold(change)
                return original(url, **kwargs)
            return create_engine

        def listening(original: Any) -> Any:
            def listen(target: Any, identifier: str, *args: Any, **kwargs: Any) -> None:
                if identifier == "do_connect":
                    self._took_hold(change)
                else:
                    original(target, identifier, *args, **kwargs)
            return listen

        self._hooks.when_imported(
            "sqlalchemy.engine.create", lambda module: self._hooks.replace(module, "create_engine", making)
        )
        self._hooks.when_imported(
            "sqlalchemy.event.api", lambda module: self._hooks.replace(module, "listen", listening)
        )

    def _one_in_memory(self, change: Dict[str, Any]) -> None:
        def making(original: Any) -> Any:
            def create_engine(url: Any, **kwargs: Any) -> Any:
                from sqlalchemy.engine import make_url
                from sqlalchemy.pool import StaticPool

                made = make_url(url)
                if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
                    self._took_hold(change)
                    arguments = {**(kwargs.get("connect_args") or {}), "check_same_thread": False}
                    kwargs = {**kwargs, "poolclass": StaticPool, "connect_args": arguments}
                return original(url, **kwargs)
            return create_engine

        self._hooks.when_imported(
            "sqlalchemy.engine.create", lambda module: self._hooks.replace(module, "create_engine", making)
        )

    def _commit(self, change: Dict[str, Any]) -> None:
        wanted, line = os.path.realpath(change["file"]), change["line"]

        def writing(original: Any) -> Any:
            def write(session: Any, *args: Any, **kwargs: Any) -> Any:
                result = original(session, *args, **kwargs)
                if _called_from(wanted, line) and session.in_transaction() and not session._flushing:
                    self._took_hold(change)
                    session.commit()
                return result
            return write

        def watch(orm: Any) -> None:
            for name in ("flush", "execute"):
                self._hooks.replace(orm.Session, name, writing)

        self._hooks.when_imported("sqlalchemy.orm", watch)

    def _redirect_session(self, change: Dict[str, Any]) -> None:
        file, engine_file = os.path.realpath(change["file"]), os.path.realpath(change["engine_file"])
        made: List[Any] = []

        def making_engine(original: Any) -> Any:
            def __init__(engine: Any, *args: Any, **kwargs: Any) -> None:
                original(engine, *args, **kwargs)
                if _called_from(engine_file, change["engine_line"]):
                    made.append(engine)
            return with_arguments_of(original, __init__)

        def making_session(original: Any) -> Any:
            def __init__(session: Any, *args: Any, **kwargs: Any) -> None:
                original(session, *args, **kwargs)
                if made and _called_from(file, change["line"]):
                    self._took_hold(change)
                    session.bind = made[-1]
            return __init__

        self._hooks.when_imported(
            "sqlalchemy.engine.base", lambda module: self._hooks.replace(module.Engine, "__init__", making_engine)
        )
        self._hooks.when_imported(
            "sqlalchemy.orm", lambda module: self._hooks.replace(module.Session, "__init__", making_session)
        )

    def _redirect_connection(self, change: Dict[str, Any]) -> None:
        from .redirected import Redirected

        redirected = Redirected(change, lambda: self._took_hold(change))
        redirected.install(self._hooks)
        self._around.append(redirected.install_around)

    def _lead_elsewhere(self, change: Dict[str, Any]) -> None:
        from .elsewhere import Elsewhere

        elsewhere = Elsewhere(change, lambda: self._took_hold(change))
        elsewhere.install(self._hooks)
        self._around.append(elsewhere.install_around)

    # --- applications ------------------------------------------------------------------------------------------------

    def _no_lifespan(self, change: Dict[str, Any]) -> None:
        async def nothing(app: Any) -> Any:
            self._took_hold(change)
            yield

        def watch(routing: Any) -> None:
            from contextlib import asynccontextmanager

            def serving(original: Any) -> Any:
                async def lifespan(router: Any, scope: Any, receive: Any, send: Any) -> None:
                    router.lifespan_context = asynccontextmanager(nothing)
                    await original(router, scope, receive, send)
                return lifespan

            self._hooks.replace(routing.Router, "lifespan", serving)

        self._hooks.when_imported("starlette.routing", watch)

    def _no_background(self, change: Dict[str, Any]) -> None:
        def running(original: Any) -> Any:
            async def __call__(task: Any) -> None:
                if _is_called(getattr(task, "func", None), change["function"]):
                    self._took_hold(change)
                else:
                    await original(task)
            return __call__

        self._hooks.when_imported(
            "starlette.background", lambda module: self._hooks.replace(module.BackgroundTask, "__call__", running)
        )

    def _apply_override(self, change: Dict[str, Any]) -> None:
        apps = _Apps(self._hooks)
        kept: List[Any] = []

        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                provider = kwargs.get("dependency_overrides_provider")
                by = apps.override_named(change["key"])
                if change.get("kept"):
                    kept[:] = [by] if by is not None else kept
                    by = kept[0] if kept else None
                if by is not None:
                    added = _declared(kwargs["dependant"], change["to"], provider)
                    if added:
                        self._took_hold(change)
                        kwargs["dependency_overrides_provider"] = _Provider(provider, dict.fromkeys(added, by))
                return await original(**kwargs)
            return solve_dependencies

        self._around_solving(solving)

    def _around_solving(self, make: Callable[[Any], Any]) -> None:
        def watch(fastapi: Any) -> None:
            from fastapi import routing
            from fastapi.dependencies import utils

            solve = make(utils.solve_dependencies)
            self._hooks.replace(utils, "solve_dependencies", lambda original: solve)
            self._hooks.replace(routing, "solve_dependencies", lambda original: solve)

        self._hooks.when_imported("fastapi", watch)

    def _redirect_call(self, change: Dict[str, Any]) -> None:
        apps = _Apps(self._hooks)
        redirected: Dict[Any, Any] = {}

        def solving(original: Any) -> Any:
            async def solve_dependencies(**kwargs: Any) -> Any:
                found = apps.key_named(change["callable"])
                if found is not None and found not in redirected and isinstance(found, types.FunctionType):
                    redirected[found] = self._redirect(found, apps, change)
                return await original(**kwargs)
            return solve_dependencies

        self._around_solving(solving)

    def _redirect(self, function: Any, apps: "_Apps", change: Dict[str, Any]) -> bool:
        """Give a function other code, so that whoever holds it, under whatever name, calls its override."""
        if function.__code__.co_freevars:
            return False
        as_it_was = types.FunctionType(
            function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__,
        )
        as_it_was.__kwdefaults__ = function.__kwdefaults__

        def instead(*args: Any, **kwargs: Any) -> Any:
            by = apps.override_of(function)
            if by is None:
                return as_it_was(*args, **kwargs)
            self._took_hold(change)
            return by()

        _REDIRECTED[id(function)] = instead
        code = compile(
            f"def call(*args, **kwargs):\n"
            f"    import sys\n"
            f"    return sys.modules[{__name__!r}]._REDIRECTED[{id(function)}](*args, **kwargs)\n",
            function.__code__.co_filename, "exec",
        )
        call = next(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
        before, function.__code__ = function.__code__, call.replace(co_firstlineno=function.__code__.co_firstlineno)
        self._hooks.on_removal(lambda: setattr(function, "__code__", before))
        return True

    # --- names -------------------------------------------------------------------------------------------------------

    def _rebind_copies(self, change: Dict[str, Any]) -> None:
        name = change["name"]

        def watch(module: Any) -> None:
            taken = self._took_hold

            class Watched(types.ModuleType):
                def __setattr__(self, attribute: str, value: Any) -> None:
                    before = vars(self).get(attribute)
                    super().__setattr__(attribute, value)
                    if attribute == name and before is not None:
                        for put in _holders(self, before):
                            put(value)
                            taken(change)

            module.__class__ = Watched

        self._hooks.when_imported(change["module"], watch)

    def _clear_caches(self, change: Dict[str, Any]) -> None:
        from .frames import APPLICATION, owner

        def clear() -> None:
            for module in list(sys.modules.values()):
                file = getattr(module, "__file__", None)
                if file is None or owner(file) is not APPLICATION:
                    continue
                for value in list(vars(module).values()):
                    if isinstance(value, functools._lru_cache_wrapper) and value.cache_info().currsize:
                        self._took_hold(change)
                        value.cache_clear()

        def make(hookimpl: Any) -> Any:
            class Clearing:
                @hookimpl(hookwrapper=True, tryfirst=True)
                def pytest_runtest_call(self) -> Any:
                    clear()
                    yield

            return Clearing()

        self._plug_in(make)


def changes_from(path: Optional[str]) -> List[Dict[str, Any]]:
    """Read the changes out of a file; none where there is no file."""
    if not path:
        return []
    with open(path, encoding="utf-8") as file:
        found: List[Dict[str, Any]] = json.load(file)
    return found


_REDIRECTED: Dict[int, Callable[..., Any]] = {}


class _Apps:
    """The applications that are alive, and their overrides, found by the name of what is overridden."""

    def __init__(self, hooks: Hooks) -> None:
        self._apps: "WeakSet[Any]" = WeakSet()

        def making(original: Any) -> Any:
            def __init__(app: Any, *args: Any, **kwargs: Any) -> None:
                self._apps.add(app)
                original(app, *args, **kwargs)
            return __init__

        # FastAPI's own takes the place of Starlette's, and does not call it.
        hooks.when_imported("fastapi.applications", lambda module: hooks.replace(module.FastAPI, "__init__", making))

    def _overrides(self) -> List[Tuple[Any, Any]]:
        return [pair for app in list(self._apps) for pair in (getattr(app, "dependency_overrides", None) or {}).items()]

    def override_named(self, name: str) -> Any:
        return next((by for key, by in self._overrides() if _is_named(key, name)), None)

    def key_named(self, name: str) -> Any:
        return next((key for key, _ in self._overrides() if _is_named(key, name)), None)

    def override_of(self, function: Any) -> Any:
        return next((by for key, by in self._overrides() if key is function), None)


class _Provider:
    """Stands for an application where its overrides are looked up, with some added."""

    def __init__(self, provider: Any, added: Dict[Any, Any]) -> None:
        self._provider = provider
        self.dependency_overrides = {**(getattr(provider, "dependency_overrides", None) or {}), **added}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def _declared(dependant: Any, name: str, provider: Any) -> List[Any]:
    """The dependencies of this name that no override of the provider reaches."""
    overrides = getattr(provider, "dependency_overrides", None) or {}
    calls = [sub.call for sub in dependant.dependencies]
    return [call for call in calls if call not in overrides and _is_named(call, name)]


def _take_out(found: List[Any], one: Any) -> None:
    if one in found:
        found.remove(one)


def _is_named(call: Any, name: str) -> bool:
    """Tell whether a callable has a name, be it its own or that of the global which holds it."""
    return _name_of(call) == name or known_as(call) == name or describe(call)["name"] == name


def _name_of(call: Any) -> str:
    call = call.func if isinstance(call, functools.partial) else call
    function = getattr(call, "__func__", call)
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    if not hasattr(function, "__qualname__"):
        function = type(call)
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"


def _is_called(function: Any, name: str) -> bool:
    function = getattr(function, "func", function)  # out of functools.partial
    return getattr(function, "__name__", None) == name or _name_of(function) == name


def _edited(path: Any, lines: List[Any], opened: Any = None) -> str:
    import tokenize

    with tokenize.open(str(path)) if opened is None else opened(path, encoding="utf-8") as file:
        text = file.read().splitlines()
    for first, last, instead in sorted(lines, reverse=True):
        text[first - 1:last] = instead.splitlines()
    return "\n".join(text) + "\n"


def _empty_module(module: Any) -> Any:
    """A module of tests that is not imported and holds none."""
    module.collect = lambda: []
    return module


def _chosen(op: str, items: List[Any], tests: List[str], files: Any) -> List[Any]:
    def named(item: Any) -> bool:
        path = os.path.realpath(str(getattr(item, "path", None) or item.fspath))
        return path in files or any(item.nodeid == test or item.nodeid.startswith(test + "::") for test in tests)

    if op == "leave-out":
        return [item for item in items if not named(item)]
    if op == "only":
        return [item for item in items if named(item)]
    order = {test: number for number, test in enumerate(tests)}
    return sorted(items, key=lambda item: order.get(item.nodeid, len(order)))


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


def _holders(origin: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    """Give a way to put something else wherever other modules hold `value`, or what is bound to it."""
    for module in list(sys.modules.values()):
        for name, held in list((getattr(module, "__dict__", None) or {}).items()):
            if held is value and module is not origin:
                yield functools.partial(vars(module).__setitem__, name)
            elif isinstance(held, types.FunctionType):
                yield from _in_defaults(held, value)
            elif isinstance(held, type) and held.__module__ == getattr(module, "__name__", None):
                yield from _in_class(held, value)
            elif isinstance(getattr(held, "kw", None), dict) and held.kw.get("bind") is value:
                yield functools.partial(held.kw.__setitem__, "bind")


def _in_class(kind: type, value: Any) -> Iterator[Callable[[Any], None]]:
    for name, held in list(vars(kind).items()):
        if held is value:
            yield functools.partial(setattr, kind, name)
        elif isinstance(held, types.FunctionType):
            yield from _in_defaults(held, value)


def _in_defaults(function: Any, value: Any) -> Iterator[Callable[[Any], None]]:
    def put(instead: Any) -> None:
        function.__defaults__ = tuple(instead if held is value else held for held in function.__defaults__)

    if any(held is value for held in function.__defaults__ or ()):
        yield put
    for name, held in (function.__kwdefaults__ or {}).items():
        if held is value:
            yield functools.partial(function.__kwdefaults__.__setitem__, name)

"""FastAPI and Starlette: the applications of the process, and the one that serves each request."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional
from weakref import ReferenceType, ref

from .callables import Callables
from .context import REQUEST, Request
from .databases import Databases
from .defaults import databases_in_defaults
from .dependencies import DependencyProbe
from .frames import Stack
from .hooks import Hooks, out_of_traceback
from .objects import Notes, name_of, text_of
from .overrides import Overrides
from .own import own_builtins as __builtins__  # noqa: F401
from .quiet import quietly
from .recorder import Recorder
from .routes import Routes


class AppProbe:
    """Wraps the handling of each request; records applications, their routes and their overrides."""

    def __init__(self, recorder: Recorder, databases: Databases) -> None:
        self._recorder, self._objects = recorder, databases.objects
        self._callables = Callables(recorder, databases.objects)
        self._dependencies = DependencyProbe(recorder, databases, self._callables)
        self._routes = Routes(recorder, databases.objects, self._callables)
        self._overrides = Overrides(self._overridden)
        self._numbers: "Notes[str]" = Notes()
        self._apps: Dict[str, "ReferenceType[Any]"] = {}
        self.on_lifespan: List[Callable[[], None]] = []  # called before a lifespan and once its startup is complete

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("starlette.applications", self._watch_starlette)
        hooks.when_imported("starlette.background", self._watch_background)
        hooks.when_imported("fastapi", self._watch_fastapi)
        self._dependencies.install(hooks)

    def alive(self) -> List[Any]:
        """Return the applications that still exist."""
        return [app for app in (pointer() for pointer in list(self._apps.values())) if app is not None]

    def check_overrides(self) -> None:
        """Compare overrides that have changed since the last check with the dependencies of the applications."""
        self._report_collected()
        for app in self.alive():
            self._overrides.look(app)
            self._routes.check(app, self.alive)

    # --- applications ------------------------------------------------------------------------------------------------

    def _watch_starlette(self, applications: Any) -> None:
        probe = self

        def serving(original: Any) -> Any:
            async def __call__(app: Any, scope: Any, receive: Any, send: Any) -> None:
                __tracebackhide__ = True
                request = probe._request(app, scope)
                token = REQUEST.set(request)
                try:
                    await original(app, scope, receive, probe._reporting_startup(request, send))
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    REQUEST.reset(token)
                    if request is not None:
                        request.end()
            return __call__

        self._hooks.replace(applications.Starlette, "__init__", self._making)
        self._hooks.replace(applications.Starlette, "__call__", serving)

    def _watch_fastapi(self, fastapi: Any) -> None:
        self._hooks.replace(fastapi.FastAPI, "__init__", self._making)
        self._hooks.replace(fastapi.FastAPI, "__setattr__", self._overrides.assigning)

    def _making(self, original: Any) -> Any:
        probe = self

        def __init__(app: Any, *args: Any, **kwargs: Any) -> None:
            __tracebackhide__ = True
            probe._made(app)
            try:
                original(app, *args, **kwargs)
            except BaseException as error:
                out_of_traceback(error)
                raise
        return __init__

    @quietly
    def _made(self, app: Any) -> str:
        number = self._objects.new("app", app)
        self._report_collected()
        self._numbers.set(app, number)
        self._apps[number] = ref(app)
        self._recorder.event("app", app=number, type=name_of(type(app)))
        return number

    def _report_collected(self) -> None:
        for number in self._numbers.remove_collected():
            self._apps.pop(number, None)
            self._recorder.plain("app_gone", app=number)

    def _number(self, app: Any) -> str:
        """Return an application's number; one made before the probes were installed gets it when it is first seen."""
        return self._objects.of("app", app) or self._made(app)

    @quietly
    def _overridden(self, op: str, app: Any, key: Any, by: Any, stack: Optional[Stack] = None) -> None:
        number = self._number(app)
        described, standing = self._callables.name(key), self._callables.name(by)
        defaults = databases_in_defaults(by)
        more: Dict[str, Any] = {"defaults": defaults} if defaults else {}
        self._recorder.event(
            "override", stack=stack, apart=(op, number, described), op=op, app=number, key=described, by=standing,
            **more,
        )
        self._routes.changed(app)

    # --- requests ----------------------------------------------------------------------------------------------------

    @quietly
    def _request(self, app: Any, scope: Any) -> Optional[Request]:
        said = scope if type(scope) is dict else {}
        stage, method, path = (text_of(said.get(name)) for name in ("type", "method", "path"))
        if stage is None:  # not a valid scope: the application will reject it
            return None
        outer, number = REQUEST.get(), self._number(app)
        request = Request(self._objects.number("request"), number, stage, method or "", path or "")
        request.scope = scope
        self._recorder.event(
            "request", apart=(number, stage, request.method), number=request.number, app=number, type=stage,
            method=request.method, path=request.path, within=outer.number if outer is not None else None,
        )
        self._overrides.look(app)
        self._routes.describe_parts(app)
        if stage == "lifespan":
            self._at_lifespan()
        else:
            self._routes.check(app, self.alive)
        return request

    def _reporting_startup(self, request: Optional[Request], send: Any) -> Any:
        if request is None or request.stage != "lifespan":
            return send

        async def sending(message: Any) -> None:
            if type(message) is dict and message.get("type") == "lifespan.startup.complete":
                self._at_lifespan()
            await send(message)
        return sending

    def _at_lifespan(self) -> None:
        for call in self.on_lifespan:
            call()

    # --- background tasks --------------------------------------------------------------------------------------------

    def _watch_background(self, background: Any) -> None:
        def running(original: Any) -> Any:
            async def __call__(task: Any) -> None:
                __tracebackhide__ = True
                served: Optional[Request] = REQUEST.get()
                token = REQUEST.set(served.in_background()) if served is not None else None
                try:
                    await original(task)
                except BaseException as error:
                    out_of_traceback(error)
                    raise
                finally:
                    if token is not None:
                        REQUEST.reset(token)
            return __call__

        self._hooks.replace(background.BackgroundTask, "__call__", running)

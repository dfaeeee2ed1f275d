"""The current test, its phase, and the current request.

Test and phase belong to the process (pytest runs one test at a time). The request is a context variable, which tasks
and worker threads inherit.
"""

from __future__ import annotations

from contextvars import ContextVar
from types import CodeType, FunctionType, MethodType
from typing import Any, Dict, List, Optional, Tuple
from weakref import ReferenceType, ref

from .frames import APPLICATION, Stack, application_stack, current_thread, owner, thread_name
from .objects import address
from .own import own_builtins as __builtins__  # noqa: F401
from .own import threading

Supplier = Tuple[str, Optional[str]]  # the declared dependency, its override


class Request:
    """A request, lifespan or background task during its way through an application.

    It keeps no object of the program alive: values are known by their id, confirmed by a weak reference if possible.
    """

    __slots__ = ("app", "by_libraries", "method", "number", "path", "scope", "stage", "supplied", "suppliers")

    def __init__(self, number: str, app: Optional[str], stage: str, method: str, path: str) -> None:
        self.number, self.app, self.stage, self.method, self.path = number, app, stage, method, path
        self.scope: Optional[Dict[str, Any]] = None  # the server's dict, while the request is running
        self.supplied: Dict[int, Tuple[Optional["ReferenceType[Any]"], Supplier]] = {}
        # The code of each dependency, by its id, since the hash of a code object covers all its content.
        self.suppliers: Dict[int, Tuple[CodeType, Supplier]] = {}
        self.by_libraries = False  # whether one of them is code of a library

    def supply(self, value: Any, supplier: Supplier) -> None:
        """Remember the dependency that a value came from; the first one, if several pass it on."""
        if self.supplier_of(value) is not None:
            return
        try:
            self.supplied[address(value)] = ref(value), supplier
        except TypeError:  # its type has no weak references
            self.supplied[address(value)] = None, supplier

    def supplier_of(self, value: Any) -> Optional[Supplier]:
        known = self.supplied.get(address(value))
        if known is None or (known[0] is not None and known[0]() is not value):
            return None
        return known[1]

    def supplier_at(self, address: int) -> Optional[Supplier]:
        """Return the supplier of an object without weak references, by its id; None without one."""
        known = self.supplied.get(address)
        return known[1] if known is not None and known[0] is None else None

    def takes_in(self, code: CodeType, supplier: Supplier) -> None:
        """Remember the code that a dependency runs."""
        self.suppliers[address(code)] = code, supplier
        self.by_libraries = self.by_libraries or owner(code.co_filename) is not APPLICATION

    def endpoint(self) -> Optional[CodeType]:
        """Return the code of the endpoint of this request; None if unknown."""
        endpoint = (self.scope or {}).get("endpoint")
        if type(endpoint) is MethodType:
            endpoint = endpoint.__func__
        return endpoint.__code__ if type(endpoint) is FunctionType else None

    def stack(self) -> Tuple[Stack, Optional[str], Optional[Supplier]]:
        """Return the application's frames on the stack, and the request's running code as `running` returns it."""
        codes: List[CodeType] = []
        endpoint = self.endpoint()
        outside = endpoint is not None and owner(endpoint.co_filename) is not APPLICATION
        stack = application_stack(codes, self.by_libraries or outside)
        return (stack, *self.running(codes))

    def running(self, codes: List[CodeType]) -> Tuple[Optional[str], Optional[Supplier]]:
        """Return which callable of the request runs: ("endpoint", None), ("dependency", supplier) or (None, None).

        A dependency that an endpoint or another dependency calls itself counts as part of its caller.
        """
        running = [address(one) for one in codes]
        if address(self.endpoint()) in running:
            return "endpoint", None
        for known in reversed(running):
            if known in self.suppliers:
                return "dependency", self.suppliers[known][1]
        return None, None

    def in_background(self) -> "Request":
        """Return a copy of this request for a background task after its response."""
        task = Request(self.number, self.app, "background", self.method, self.path)
        task.scope, task.supplied, task.suppliers = self.scope, self.supplied, self.suppliers
        task.by_libraries = self.by_libraries
        return task

    def end(self) -> None:
        self.scope = None
        self.supplied.clear()
        self.suppliers.clear()


class Current:
    """The current test of this process. `phase` is one of the words below; `serial` increases with each change.

    `start` before pytest, or in a program without it; `configure` while plugins and conftests are loaded; `collection`;
    `setup`, `call`, `teardown` of a test; `between` two tests; `finish` after the last.
    """

    __slots__ = ("collecting", "fixture", "phase", "scope", "serial", "test")

    def __init__(self) -> None:
        self.serial = 0
        self.reset()

    def reset(self) -> None:
        self.test: Optional[str] = None
        self.phase = "start"
        self.fixture: Optional[str] = None
        self.scope: Optional[str] = None  # the fixture's
        self.collecting: Optional[str] = None
        self.serial += 1

    def enter(self, phase: str, test: Optional[str]) -> None:
        self.phase, self.test = phase, test
        self.serial += 1

    def key(self) -> Optional[Tuple[Any, ...]]:
        """Return a cheap key for the result of `fields`; None in a thread that can be renamed (not the main one)."""
        if current_thread() is not threading.main_thread():
            return None
        request = REQUEST.get()
        number, stage = (request.number, request.stage) if request is not None else ("", "")
        return self.serial, self.phase, self.test, self.fixture, self.scope, self.collecting, number, stage

    def fields(self) -> Dict[str, Any]:
        """Return the context as fields of an event, without those that do not apply."""
        found: Dict[str, Any] = {"phase": self.phase}
        if self.test is not None:
            found["test"] = self.test
        if self.fixture is not None:
            found["fixture"], found["scope"] = self.fixture, self.scope
        if self.collecting is not None:
            found["collecting"] = self.collecting
        request = REQUEST.get()
        if request is not None:
            found["request"] = request.number
            if request.stage != "http":
                found["stage"] = request.stage
        thread = thread_name()
        if thread is not None:
            found["thread"] = thread
        return found


CURRENT = Current()
REQUEST: "ContextVar[Optional[Request]]" = ContextVar("request_under_way", default=None)

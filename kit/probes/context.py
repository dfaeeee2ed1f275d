"""What is running at this moment: which test, in which phase, and which request.

The test and its phase belong to the process (pytest runs one test at a time); the request belongs to a flow of
control, and follows it into tasks and worker threads by a context variable.
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

Supplier = Tuple[str, Optional[str]]  # the dependency as it was declared, the override that stood in for it


class Request:
    """One request, lifespan or background task on its way through an application.

    It keeps nothing of the program's alive: what was supplied is known by its id, as long as it is the same object.
    """

    __slots__ = ("app", "by_libraries", "method", "number", "path", "scope", "stage", "supplied", "suppliers")

    def __init__(self, number: str, app: Optional[str], stage: str, method: str, path: str) -> None:
        self.number, self.app, self.stage, self.method, self.path = number, app, stage, method, path
        self.scope: Optional[Dict[str, Any]] = None  # the server's own, while the application has it
        self.supplied: Dict[int, Tuple[Optional["ReferenceType[Any]"], Supplier]] = {}
        # Whose code is running when a dependency runs. By its id, as hashing a code reads all that is in it.
        self.suppliers: Dict[int, Tuple[CodeType, Supplier]] = {}
        self.by_libraries = False  # whether one of those is no code of the application's

    def supply(self, value: Any, supplier: Supplier) -> None:
        """Remember which dependency a value came from: the first that gave it, where others hand it on."""
        if self.supplier_of(value) is not None:
            return
        try:
            self.supplied[address(value)] = ref(value), supplier
        except TypeError:  # of a kind that cannot be pointed at
            self.supplied[address(value)] = None, supplier

    def supplier_of(self, value: Any) -> Optional[Supplier]:
        known = self.supplied.get(address(value))
        if known is None or (known[0] is not None and known[0]() is not value):
            return None
        return known[1]

    def supplier_at(self, address: int) -> Optional[Supplier]:
        """The same for an object of a kind that cannot be pointed at, by its id."""
        known = self.supplied.get(address)
        return known[1] if known is not None and known[0] is None else None

    def takes_in(self, code: CodeType, supplier: Supplier) -> None:
        """Remember whose code it is that a dependency runs."""
        self.suppliers[address(code)] = code, supplier
        self.by_libraries = self.by_libraries or owner(code.co_filename) is not APPLICATION

    def endpoint(self) -> Optional[CodeType]:
        """Return the code of what answers the request; None where that is not known."""
        endpoint = (self.scope or {}).get("endpoint")
        if type(endpoint) is MethodType:
            endpoint = endpoint.__func__
        return endpoint.__code__ if type(endpoint) is FunctionType else None

    def stack(self) -> Tuple[Stack, Optional[str], Optional[Supplier]]:
        """Return the application's frames that led here, and what of the request's own runs, as `running` says it."""
        codes: List[CodeType] = []
        endpoint = self.endpoint()
        outside = endpoint is not None and owner(endpoint.co_filename) is not APPLICATION
        stack = application_stack(codes, self.by_libraries or outside)
        return (stack, *self.running(codes))

    def running(self, codes: List[CodeType]) -> Tuple[Optional[str], Optional[Supplier]]:
        """Say what of the request's own runs in these codes: its endpoint, or the dependency that was called for it.

        What an endpoint or a dependency calls itself is its own doing, though it be another dependency.
        """
        running = [address(one) for one in codes]
        if address(self.endpoint()) in running:
            return "endpoint", None
        for known in reversed(running):
            if known in self.suppliers:
                return "dependency", self.suppliers[known][1]
        return None, None

    def in_background(self) -> "Request":
        """The same request, as a task that runs after its response."""
        task = Request(self.number, self.app, "background", self.method, self.path)
        task.scope, task.supplied, task.suppliers = self.scope, self.supplied, self.suppliers
        task.by_libraries = self.by_libraries
        return task

    def end(self) -> None:
        self.scope = None
        self.supplied.clear()
        self.suppliers.clear()


class Current:
    """The test under way in this process. `phase` is one of the words below; `serial` grows with each change.

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
        self.scope: Optional[str] = None  # of the fixture
        self.collecting: Optional[str] = None
        self.serial += 1

    def enter(self, phase: str, test: Optional[str]) -> None:
        self.phase, self.test = phase, test
        self.serial += 1

    def key(self) -> Optional[Tuple[Any, ...]]:
        """Return what `fields` depends on, which takes less to find out; None in a thread, whose name can change."""
        if current_thread() is not threading.main_thread():
            return None
        request = REQUEST.get()
        number, stage = (request.number, request.stage) if request is not None else ("", "")
        return self.serial, self.phase, self.test, self.fixture, self.scope, self.collecting, number, stage

    def fields(self) -> Dict[str, Any]:
        """The context as an event's fields; what is not under way is left out."""
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

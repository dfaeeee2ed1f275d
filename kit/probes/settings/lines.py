"""Finds the line that wrote a setting, by searching the source of the test code that has just run.

No execution is traced: the source shows where a key is assigned, passed by keyword or patched, and which function of
the application a test calls to write it.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..frames import APPLICATION, Stack, absolute, application_stack, owner
from ..loaded import application_modules
from ..objects import bases, held_by, is_a, space_of
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import re

_CALLS_AT_MOST = 2  # calls between the test code and the code that writes
_SETS = re.compile(
    r"^(init|configure|config|update|set|setup|use|load|from_|override|reset|bind|change|switch|apply|patch|put|merge)"
)
_OF_TESTS = re.compile(r"(^|[/\\])(conftest|tests?|test_[^/\\]*|[^/\\]*_tests?)\.py$|[/\\]tests?[/\\]")


class _Ran(NamedTuple):
    """Code that ran: its file, its first line (0 for a module), and its globals."""

    file: str
    line: int
    globals: Dict[str, Any]


def is_of_tests(file: str) -> bool:
    """Return whether a file belongs to the tests, by its name or its folder."""
    return _OF_TESTS.search(file) is not None


class Lines:
    """Finds lines in source files. Each file is parsed once."""

    def __init__(self) -> None:
        self._trees: Dict[str, Any] = {}

    def that_wrote(self, keys: Tuple[str, ...], ran: Tuple[Any, ...]) -> Stack:
        """Return the line that wrote the setting under `keys`, with the lines that called it; () if none is found.

        Searched are the functions that are running, those in `ran`, and then all test modules.
        """
        codes = [*_running(), *(one for function in ran for one in _code_of(function))]
        every = ((code, key) for key in keys[::-1] for code in codes)
        found = next(filter(None, (self._in_function(code, key, _CALLS_AT_MOST) for code, key in every)), ())
        of_modules = (self._in_module(code, keys[-1]) for code in _files_of_tests())
        return found or next(filter(None, of_modules), ())

    def literal(self, file: str, keys: Tuple[str, ...]) -> Optional[str]:
        """Return the text that a module's source assigns to `keys`; None unless it is one literal, assigned once."""
        tree = self._tree(file)
        found = None if tree is None else _given(tree, keys)
        return found if type(found) is str else None

    def of_text(self, file: str, text: str) -> int:
        """Return the line of a module, outside its functions, on which a string stands; 0 for none or several."""
        from ast import Constant

        tree = self._tree(file)
        nodes = _outside_functions(tree) if tree is not None else ()
        found = {node.lineno for node in nodes if isinstance(node, Constant) and node.value == text}
        return found.pop() if len(found) == 1 else 0

    def literal_at(self, file: str, line: int, is_it: Callable[[str], bool]) -> Optional[str]:
        """Find the literal behind the text that a statement uses; `is_it` recognizes the text.

        Returns "" if it is in the statement or its function, the name of the module's global if it is assigned to one
        that the statement uses, None otherwise.
        """
        tree = self._tree(file)
        statement, around = _statement_at(tree, line) if tree is not None else (None, None)
        if statement is None:
            return None
        if any(is_it(text) for text in _texts(statement)):
            return ""
        for name in _names(statement):
            if around is not tree and any(is_it(text) for text in _assigned(around, name)):
                return ""
            given = self.literal(file, (name,))
            if given is not None and is_it(given):
                return name
        return None

    def _in_function(self, code: _Ran, key: str, calls: int) -> Stack:
        node = self._function(code)
        if node is None:
            return ()
        name = getattr(node, "name", "<module>")
        line = _line_that_writes(node, key)
        if line:
            return ((code.file, line, name, None),)
        for call, called in _called(node, code.globals) if calls else ():
            inner = self._in_function(called, key, calls - 1)
            if inner:
                return (*inner, (code.file, call, name, None))
        return ()

    def _in_module(self, code: _Ran, key: str) -> Stack:
        tree = self._tree(code.file)
        line = _line_that_writes(tree, key) if tree is not None else 0
        return ((code.file, line, "<module>", None),) if line else ()

    def _function(self, code: _Ran) -> Any:
        tree = self._tree(code.file)
        if tree is None or not code.line:
            return tree
        from ast import AsyncFunctionDef, FunctionDef

        kinds = FunctionDef, AsyncFunctionDef
        for node in _walk(tree):
            if isinstance(node, kinds):
                first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
                if code.line in (first, node.lineno):
                    return node
        return None

    def _tree(self, file: str) -> Any:
        if file not in self._trees:
            from ast import parse

            try:
                with open(file, encoding="utf-8") as text:
                    self._trees[file] = parse(text.read())
            except (OSError, ValueError, SyntaxError):
                self._trees[file] = None
        return self._trees[file]


def _given(tree: Any, keys: Tuple[str, ...]) -> Any:
    """Return the literal of a global, class attribute or entry of a dict literal, by its keys; None without one."""
    from ast import Assign, ClassDef, Constant, Dict, Name

    key, rest = keys[0], keys[1:]
    names = [node for node in _outside_functions(tree) if isinstance(node, Name)]
    stores = [node for node in names if node.id == key and _is_stored(node)]
    values = [
        node.value for node in tree.body
        if isinstance(node, Assign) and any(isinstance(one, Name) and one.id == key for one in node.targets)
    ]
    classes = [node for node in tree.body if isinstance(node, ClassDef) and node.name == key]
    if rest and len(classes) == 1 and not stores:
        return _given(classes[0], rest)
    value = values[0] if len(values) == len(stores) == 1 else None
    for one in rest:
        entries = zip(value.keys, value.values) if isinstance(value, Dict) else ()
        value = next((given for known, given in entries if isinstance(known, Constant) and known.value == one), None)
    return value.value if isinstance(value, Constant) else None


def _walk(tree: Any) -> Iterator[Any]:
    """Yield a node and all below it, breadth first. (`ast.walk` runs an import on each call.)"""
    from ast import iter_child_nodes

    waiting = [tree]
    for node in waiting:
        waiting.extend(iter_child_nodes(node))
        yield node


def _statement_at(tree: Any, line: int) -> Tuple[Any, Any]:
    """Return the innermost statement on a line, and the function or module around it; (None, None) without one."""
    from ast import AsyncFunctionDef, FunctionDef, stmt

    covering = [
        node for node in _walk(tree) if isinstance(node, stmt) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    functions = [node for node in covering if isinstance(node, (FunctionDef, AsyncFunctionDef))]
    if not covering or hasattr(covering[-1], "body"):
        return None, None
    return covering[-1], functions[-1] if functions else tree


def _texts(tree: Any) -> Iterator[str]:
    from ast import Constant

    for node in _walk(tree):
        if isinstance(node, Constant) and type(node.value) is str:
            yield node.value


def _names(tree: Any) -> Iterator[str]:
    from ast import Name

    for node in _walk(tree):
        if isinstance(node, Name) and not _is_stored(node):
            yield node.id


def _assigned(function: Any, name: str) -> Iterator[str]:
    """Yield the texts that a function assigns to a name."""
    from ast import Assign, Name

    for node in _walk(function):
        if isinstance(node, Assign) and any(isinstance(one, Name) and one.id == name for one in node.targets):
            yield from _texts(node.value)


def _outside_functions(tree: Any) -> Iterator[Any]:
    """Yield the nodes that run when a module is imported."""
    from ast import AsyncFunctionDef, FunctionDef, Lambda, iter_child_nodes

    for node in iter_child_nodes(tree):
        if not isinstance(node, (FunctionDef, AsyncFunctionDef, Lambda)):
            yield node
            yield from _outside_functions(node)


def _running() -> Iterator[_Ran]:
    """Yield the test functions on the stack, innermost first."""
    codes: List[CodeType] = []
    application_stack(codes)
    for code in codes:
        if _OF_TESTS.search(absolute(code.co_filename)) and code.co_name != "<module>":
            yield _Ran(absolute(code.co_filename), code.co_firstlineno, _globals_of(code.co_filename))


def _globals_of(file: str) -> Dict[str, Any]:
    every = (held_by(module) for _, module in application_modules())
    return next((held for held in every if held["__file__"] == file), {})


def _files_of_tests() -> Iterator[_Ran]:
    """Yield the test modules that are loaded, conftests first."""
    found = {
        held["__file__"]: held for _, module in application_modules()
        if _OF_TESTS.search((held := held_by(module))["__file__"])
    }
    for file in sorted(found, key=lambda file: not file.endswith("conftest.py")):
        yield _Ran(absolute(file), 0, found[file])


def _code_of(function: Any) -> Iterator[_Ran]:
    """Yield the code of a function without its decorators; for a test method also the class's setup methods."""
    if type(function) is MethodType:
        for base in bases(type(function.__self__)):
            for name in ("setUp", "setup_method", "setup", "asyncSetUp", "setUpClass", "setup_class"):
                found = space_of(base).get(name)
                yield from _code_of(found.__func__ if type(found) in (classmethod, staticmethod) else found)
        function = function.__func__
    while is_a(function, FunctionType) and "__wrapped__" in held_by(function):
        function = held_by(function)["__wrapped__"]
    if type(function) is FunctionType and owner(function.__code__.co_filename) is APPLICATION:
        code = function.__code__
        yield _Ran(absolute(code.co_filename), code.co_firstlineno, function.__globals__)


def _line_that_writes(tree: Any, key: str) -> int:
    """Return the first line that writes a key, or else the first that may do so through its value; 0 without one."""

    nodes: List[Any] = list(_walk(tree))
    sure = [node.lineno for node in nodes if _writes(node, key)]
    called = [node.lineno for node in nodes if _sets_within(node, key)] if not sure else []
    return min(sure or called, default=0)


def _writes(node: Any, key: str) -> bool:
    """Return whether a node assigns to a key, passes it by keyword, or passes its name to a call that is no getter."""
    from ast import Attribute, Call, Constant, Dict, Subscript, keyword

    if isinstance(node, Subscript):
        return _is_stored(node) and isinstance(node.slice, Constant) and node.slice.value == key
    if isinstance(node, Attribute):
        return _is_stored(node) and node.attr == key
    if isinstance(node, Dict):
        return any(isinstance(one, Constant) and one.value == key for one in node.keys)
    if isinstance(node, Call):
        given = [one.value for one in node.args if isinstance(one, Constant) and type(one.value) is str]
        by_path = any(one == key or one.endswith(f".{key}") for one in given)
        return (by_path and not _reads(node)) or _is_within_call(node, key)
    return isinstance(node, keyword) and node.arg == key


def _is_stored(node: Any) -> bool:
    return type(node.ctx).__name__ == "Store"


def _reads(call: Any) -> bool:
    """Return whether a call with a key only reads or removes it: `environ.get(key)`, `getenv(key)`, `pop(key)`."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return str(name).startswith(("get", "pop", "delenv", "delattr", "delitem"))


def _is_within_call(call: Any, key: str) -> bool:
    """Return whether a call sets something on the value of a key: `config.db.url.from_value(...)` for `url`."""
    held = getattr(call.func, "value", None)
    named = getattr(held, "attr", getattr(held, "id", None)) == key
    return named and _SETS.match(getattr(call.func, "attr", "")) is not None


def _sets_within(node: Any, key: str) -> bool:
    """Return whether a node assigns to a name, or sets something on its value, for a name that equals the key."""
    from ast import Call, Name

    if isinstance(node, Name):
        return _is_stored(node) and node.id == key
    return isinstance(node, Call) and _is_within_call(node, key)


def _called(node: Any, globals_: Dict[str, Any]) -> Iterator[Tuple[int, _Ran]]:
    """Yield the functions of application and tests that code calls by name, each with the line of the call."""
    from ast import Attribute, Call, Name

    for call in _walk(node):
        if not isinstance(call, Call):
            continue
        function: Optional[Any] = None
        if isinstance(call.func, Name):
            function = globals_.get(call.func.id)
        elif isinstance(call.func, Attribute) and isinstance(call.func.value, Name):
            function = _attribute(globals_.get(call.func.value.id), call.func.attr)
        for code in _code_of(function):
            yield call.lineno, code


def _attribute(thing: Any, name: str) -> Any:
    """Return an attribute of an object or its class without running descriptors; None if missing."""
    if thing is None:
        return None
    found = held_by(thing).get(name)
    spaces = [space_of(base) for base in bases(thing if is_a(thing, type) else type(thing))]
    return found if found is not None else next((space[name] for space in spaces if name in space), None)

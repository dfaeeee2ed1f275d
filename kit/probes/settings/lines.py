"""On which line was a setting written? Looked up in the text of the tests' code that has just run.

No line of Python is followed for it: the text says where a key is assigned, handed over by keyword, or patched, and
which function of the application a test calls to have it written.
"""

from __future__ import annotations

from types import CodeType, FunctionType, MethodType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from ..frames import APPLICATION, Stack, absolute, application_stack, owner
from ..objects import bases, held_by, is_a, space_of
from ..own import own_builtins as __builtins__  # noqa: F401
from ..own import re, sys

_CALLS_AT_MOST = 2  # from the tests' code to the code that writes
_SETS = re.compile(
    r"^(init|configure|config|update|set|setup|use|load|from_|override|reset|bind|change|switch|apply|patch|put|merge)"
)
_OF_TESTS = re.compile(r"(^|[/\\])(conftest|tests?|test_[^/\\]*|[^/\\]*_tests?)\.py$|[/\\]tests?[/\\]")


class _Ran(NamedTuple):
    """Code that ran: its file, its first line (0 for a module's own text), what its names lead to."""

    file: str
    line: int
    globals: Dict[str, Any]


def is_of_tests(file: str) -> bool:
    """Tell whether a file belongs to the tests, by its name or its folder."""
    return _OF_TESTS.search(file) is not None


class Lines:
    """Finds lines in the texts of files, each of which is read once."""

    def __init__(self) -> None:
        self._trees: Dict[str, Any] = {}

    def that_wrote(self, keys: Tuple[str, ...], ran: Tuple[Any, ...]) -> Stack:
        """Return the line that wrote what these keys lead to, and those that called it; () where none is found.

        `ran` are functions that have run; what is running now, and then all texts of tests, are looked through, too.
        """
        codes = [*_running(), *(one for function in ran for one in _code_of(function))]
        every = ((code, key) for key in keys[::-1] for code in codes)
        found = next(filter(None, (self._in_function(code, key, _CALLS_AT_MOST) for code, key in every)), ())
        of_modules = (self._in_module(code, keys[-1]) for code in _files_of_tests())
        return found or next(filter(None, of_modules), ())

    def literal(self, file: str, keys: Tuple[str, ...]) -> Optional[str]:
        """Return the text that a module's own text gives what these keys lead to, where it gives it one just once."""
        tree = self._tree(file)
        found = None if tree is None else _given(tree, keys)
        return found if type(found) is str else None

    def literal_at(self, file: str, line: int, is_it: Callable[[str], bool]) -> Optional[str]:
        """Say whether a statement takes a text from where it stands in the program: "" for in it, or in its function.

        The name of the module's global if that one is given the text, and the statement uses it. Else None.
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
    """The value that stands at the end of some keys: of a global, a class's attribute, or a mapping's entry."""
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
    """A node and all below it, the nearest first. (The one of `ast` imports something each time that it is called.)"""
    from ast import iter_child_nodes

    waiting = [tree]
    for node in waiting:
        waiting.extend(iter_child_nodes(node))
        yield node


def _statement_at(tree: Any, line: int) -> Tuple[Any, Any]:
    """The innermost statement that covers a line, with the function or module around it; None where there is none."""
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
    """The texts that a function assigns to a name."""
    from ast import Assign, Name

    for node in _walk(function):
        if isinstance(node, Assign) and any(isinstance(one, Name) and one.id == name for one in node.targets):
            yield from _texts(node.value)


def _outside_functions(tree: Any) -> Iterator[Any]:
    """The nodes that run when a module is imported."""
    from ast import AsyncFunctionDef, FunctionDef, Lambda, iter_child_nodes

    for node in iter_child_nodes(tree):
        if not isinstance(node, (FunctionDef, AsyncFunctionDef, Lambda)):
            yield node
            yield from _outside_functions(node)


def _running() -> Iterator[_Ran]:
    """Give the tests' own functions that are running, innermost first."""
    codes: List[CodeType] = []
    application_stack(codes)
    for code in codes:
        if _OF_TESTS.search(absolute(code.co_filename)) and code.co_name != "<module>":
            yield _Ran(absolute(code.co_filename), code.co_firstlineno, _globals_of(code.co_filename))


def _globals_of(file: str) -> Dict[str, Any]:
    for module in list(sys.modules.values()):
        held = held_by(module)
        if held.get("__file__") == file:
            return held
    return {}


def _files_of_tests() -> Iterator[_Ran]:
    """Give the files of tests that are loaded, conftests first."""
    found = {
        held["__file__"]: held for held in map(held_by, list(sys.modules.values()))
        if type(held.get("__file__")) is str and owner(held["__file__"]) is APPLICATION
        and _OF_TESTS.search(held["__file__"])
    }
    for file in sorted(found, key=lambda file: not file.endswith("conftest.py")):
        yield _Ran(absolute(file), 0, found[file])


def _code_of(function: Any) -> Iterator[_Ran]:
    """Give where a function is written, without the decorators around it; of a test's class also what sets it up."""
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
    """The first line that surely writes a key, or else that calls something of what is under it; 0 for none."""

    nodes: List[Any] = list(_walk(tree))
    sure = [node.lineno for node in nodes if _writes(node, key)]
    called = [node.lineno for node in nodes if _sets_within(node, key)] if not sure else []
    return min(sure or called, default=0)


def _writes(node: Any, key: str) -> bool:
    """Tell whether a node assigns to a key, gives it by keyword, or names it to something that sets it."""
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
    """Tell whether a call with a key asks for it: `environ.get(key)`, `getenv(key)`."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    return str(name).startswith(("get", "pop", "delenv", "delattr", "delitem"))


def _is_within_call(call: Any, key: str) -> bool:
    """Tell whether a call is one of something under a key: `config.db.url.from_value(...)` for `url`."""
    held = getattr(call.func, "value", None)
    named = getattr(held, "attr", getattr(held, "id", None)) == key
    return named and _SETS.match(getattr(call.func, "attr", "")) is not None


def _sets_within(node: Any, key: str) -> bool:
    """Tell whether a node assigns to a name, or calls something of a name, that leads to a key."""
    from ast import Call, Name

    if isinstance(node, Name):
        return _is_stored(node) and node.id == key
    return isinstance(node, Call) and _is_within_call(node, key)


def _called(node: Any, globals_: Dict[str, Any]) -> Iterator[Tuple[int, _Ran]]:
    """Give the functions of the application and of the tests that code calls by name, with the line of the call."""
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
    """Return a function that a thing holds, or its class."""
    if thing is None:
        return None
    found = held_by(thing).get(name)
    spaces = [space_of(base) for base in bases(thing if is_a(thing, type) else type(thing))]
    return found if found is not None else next((space[name] for space in spaces if name in space), None)

"""Watches the texts in a program's state that name a database: in its modules, objects, mappings and fixtures.

They are looked at when an engine is made or a database is used, and after each fixture and phase of a test. That takes
a comparison of each with what it was; what has changed is looked through again, and the line that did it is looked up
in the text of the code that has just run.
"""

from __future__ import annotations

from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Set, Tuple

from ..environ import shown
from ..frames import APPLICATION, Stack, owner
from ..objects import address, held_by, is_a, pointer_to
from ..own import functools, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..recorder import Recorder
from ..redact import learn_all
from .lines import Lines
from .values import ABSENT, Ask, is_configuration, names, parts_of, size_of, text_of_setting

_DEPTH = 4  # from a module's global
_LOOKED_AT_MOST = 3000  # things within one global
_ALSO_AT_MOST = 5
_APART_AT_MOST = 50  # values of fixtures and locals that are looked at
_FRAMES_AT_MOST = 30
_DEPTH_OF_LOCALS = 3
_OWN = __name__.partition(".settings")[0]

Texts = Dict[str, Tuple[Tuple[str, ...], str]]  # how a place is written -> the keys that lead to it, its text


class _Root:
    """A global, or a fixture's value, with the texts in it. `asks` and `sizes` tell whether anything is different."""

    __slots__ = ("ask", "asks", "first", "name", "sizes", "texts")

    def __init__(self, name: str, ask: Ask) -> None:
        self.name, self.ask = name, ask
        self.texts: Texts = {}
        self.first: Dict[str, str] = {}
        self.asks: List[Tuple[Ask, Callable[[Any], bool]]] = []
        self.sizes: List[Tuple[Callable[[], int], int]] = []

    def is_still(self) -> bool:
        """Tell whether everything in it that was asked for is the same."""
        for ask, is_it in self.asks:
            if not is_it(ask()):
                return False
        return all(size() == before for size, before in self.sizes)

    def look(self, key: str, depth: int = _DEPTH) -> bool:
        """Look through all that it holds; False where no text in it names a database."""
        self.texts, self.asks, self.sizes = {}, [], []
        value = self.ask()
        return value is not ABSENT and self._look(self.name, (key,), value, self.ask, depth, set())

    def settle(self) -> None:
        """Take what it holds now for what it held at first."""
        self.first = {name: text for name, (_, text) in self.texts.items()}

    def _look(
        self, name: str, keys: Tuple[str, ...], value: Any, ask: Ask, depth: int, seen: Set[int]
    ) -> bool:
        text = text_of_setting(keys[-1], value)
        if text is not None:
            self.texts[name] = keys, text
            self.asks.append((ask, _the_same(value)))
            return True
        if depth <= 0 or len(seen) > _LOOKED_AT_MOST:
            return False
        parts = parts_of(value)
        if parts is None or address(value) in seen:
            return False
        seen.add(address(value))
        found = is_configuration(name)
        for part in parts:
            inner = (*keys, part.key) if part.key else keys
            found |= self._look(name + part.suffix, inner, part.value, part.ask, depth - 1, seen)
        if found:
            self.asks.append((ask, _the_same(value)))
            size = size_of(value)
            if size is not None:
                self.sizes.append((size, size()))
        return found


def _the_same(value: Any) -> Callable[[Any], bool]:
    """Return what tells whether something is this very value, which is not kept alive for it where it can be."""
    pointer = pointer_to(value)
    if pointer is None:
        return functools.partial(_is, value)
    return lambda other: pointer() is other


def _is(value: Any, other: Any) -> bool:
    return value is other


class _Module:
    __slots__ = ("count", "globals", "known")

    def __init__(self, globals_: Dict[str, Any]) -> None:
        self.globals, self.count = globals_, -1
        self.known: Set[str] = set()


class SettingsProbe:
    """Writes down which text that names a database was replaced, by what, and on which line of the tests."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._lines = recorder, Lines()
        self._loaded = 0
        self._modules: Dict[str, _Module] = {}
        self._roots: Dict[str, _Root] = {}
        self._apart: Dict[str, _Root] = {}  # values of fixtures, and of functions that named a database
        self._is_looking = False

    @quietly
    def look(self, ran: Tuple[Any, ...] = ()) -> None:
        """Compare the texts with what they were. `ran` are functions of the tests that may have changed them."""
        if self._is_looking:
            return
        self._is_looking = True
        try:
            self._look(ran)
        finally:
            self._is_looking = False

    @quietly
    def made(self, fixture: str, function: Any, value: Any) -> None:
        """A fixture was made, by a function that may have changed something: what it holds is looked at, too."""
        self.look((function,))
        self._take_in(f"fixture {fixture}", fixture, value, _DEPTH)

    @quietly
    def read(self, url: str) -> None:
        """A database was named: what holds its URL in the functions that are running is looked at, too."""
        self.look()
        frames = [frame for frame in _frames() if frame.f_code.co_name != "<module>"]
        for frame in sorted(frames, key=lambda frame: owner(frame.f_code.co_filename) is not APPLICATION):
            for name, value in list(frame.f_locals.items()):
                where = f"{frame.f_globals.get('__name__')}.{frame.f_code.co_name}"
                self._take_in(f"{where}.{name}", name, value, _DEPTH_OF_LOCALS, url)

    def _take_in(self, name: str, key: str, value: Any, depth: int, url: str = "") -> None:
        """Look at an object from now on, as long as it is there; with `url` only if it holds the place of that."""
        pointer = pointer_to(value) if parts_of(value) is not None and not is_a(value, type) else None
        if pointer is None or len(self._apart) >= _APART_AT_MOST:
            return
        if any(root.ask() is value for root in self._apart.values()):
            return
        root = _Root(name, pointer)
        if root.look(key, depth) and (not url or any(names(text, url) for _, text in root.texts.values())):
            root.settle()
            self._apart[name] = root

    def text_at(self, name: str) -> str:
        """Return the text that a place holds now; "" where it holds none."""
        self.look()
        every = (*self._roots.values(), *self._apart.values())
        return next((root.texts[name][1] for root in every if name in root.texts), "")

    def _look(self, ran: Tuple[Any, ...]) -> None:
        for name, root in list(self._apart.items()):
            if root.ask() is None:
                del self._apart[name]
        for root in [*self._roots.values(), *self._apart.values()]:
            if not root.is_still():
                self._changed(root, ran)
        self._take_in_modules()

    def _changed(self, root: _Root, ran: Tuple[Any, ...]) -> None:
        before = root.texts
        root.look(next(iter(before.values()))[0][0] if before else root.name.rpartition(".")[2])
        for name, (keys, text) in root.texts.items():
            was = before.get(name, (keys, ""))[1]
            if text and text != was:
                self._tell(root, name, keys, was, text, ran)
        for name in root.texts:
            root.first.setdefault(name, before.get(name, ((), ""))[1])

    def _tell(
        self, root: _Root, name: str, keys: Tuple[str, ...], before: str, text: str, ran: Tuple[Any, ...]
    ) -> None:
        stack: Stack = self._lines.that_wrote(keys, ran)
        learn_all({keys[-1]: text})
        restored = text == root.first.get(name, "")
        self._recorder.event(
            "setting", stack=stack, apart=(name, text), op="restored" if restored else "changed", name=name,
            key=keys[-1], value=shown(keys[-1], text), before=shown(keys[-1], before) or None,
            also=list(self._also(name, before)),
        )

    def _also(self, name: str, before: str) -> Iterator[str]:
        """The other places that still hold what was there before."""
        found = [
            other for root in self._roots.values() for other, (_, text) in root.texts.items()
            if before and other != name and text and names(text, before)
        ]
        yield from found[:_ALSO_AT_MOST]

    def _take_in_modules(self) -> None:
        if self._loaded != len(sys.modules):
            self._loaded = len(sys.modules)
            for name, module in list(sys.modules.items()):
                if name not in self._modules and is_a(module, ModuleType) and _is_the_applications(module):
                    self._modules[name] = _Module(held_by(module))
        for name, known in list(self._modules.items()):
            loaded = sys.modules.get(name)
            if not is_a(loaded, ModuleType) or held_by(loaded) is not known.globals:
                del self._modules[name]
                self._loaded = 0
            elif len(known.globals) != known.count:
                self._take_in_globals(name, known)

    def _take_in_globals(self, module: str, known: _Module) -> None:
        known.count = len(known.globals)
        for name in [name for name in known.globals if name not in known.known]:
            known.known.add(name)
            if type(name) is not str or name.startswith(("__", "@")):
                continue
            root = _Root(f"{module}.{name}", functools.partial(dict.get, known.globals, name, ABSENT))
            if root.look(name):
                root.settle()
                self._roots[root.name] = root
                self._changed_before(root, known.globals.get("__file__"))

    def _changed_before(self, root: _Root, file: Any) -> None:
        """Report what a module's own text gives another value than it is found with."""
        for name, (keys, text) in root.texts.items():
            written = self._lines.literal(file, keys) if type(file) is str else None
            if written is not None and written != text and text_of_setting(keys[-1], written) and text:
                root.first[name] = written
                self._tell(root, name, keys, written, text, ())


def _frames() -> List[FrameType]:
    """The functions that are running, the probes' own left aside, innermost first."""
    found: List[FrameType] = []
    frame = sys._getframe(1)
    while frame is not None and len(found) < _FRAMES_AT_MOST:
        if not str(frame.f_globals.get("__name__")).startswith(_OWN):
            found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _is_the_applications(module: ModuleType) -> bool:
    file = held_by(module).get("__file__")
    of_tests = str.rpartition(held_by(module).get("__name__") or "", ".")[2].startswith(("conftest", "test_"))
    return type(file) is str and owner(file) is APPLICATION and not of_tests

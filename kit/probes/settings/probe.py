"""Watches the texts in a program's state that name a database: in its modules, objects, mappings and fixtures.

They are looked at when an engine is made or a database is used, and after each phase of a test. That takes a comparison
of each with what it was; what has changed is looked through again, and the line that did it is looked up in the text of
the code that has just run.
"""

from __future__ import annotations

from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..context import CURRENT
from ..environ import shown
from ..frames import APPLICATION, Stack, absolute, owner
from ..objects import address, held_by, is_a, pointer_to
from ..own import functools, re, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..recorder import Recorder
from ..redact import learn_all
from .lines import Lines, is_of_tests
from .values import ABSENT, Ask, is_configuration, names, parts_of, size_of, text_of_setting

_DEPTH = 4  # from a module's global
_LOOKED_AT_MOST = 3000  # things within one global
_ALSO_AT_MOST = 5
_APART_AT_MOST = 50  # values of fixtures and locals that are looked at
_FRAMES_AT_MOST = 30
_DEPTH_OF_LOCALS = 3
_OF_A_FUNCTION = 1  # inspect.CO_OPTIMIZED: the locals of classes and of what is executed can be the program's mapping
_OWN = __name__.partition(".settings")[0]

Texts = Dict[str, Tuple[Tuple[str, ...], str]]  # how a place is written -> the keys that lead to it, its text


class _Root:
    """A global, or a fixture's value, with the texts in it.

    `held` are its texts as they were last seen, `objects` the addresses of what leads to them, `sizes` how much their
    mappings hold: by these it is told whether anything is different. `owned` tells which root looks into an object,
    where several globals hold it.
    """

    __slots__ = ("ask", "depth", "first", "held", "name", "objects", "owned", "sizes", "texts")

    def __init__(self, name: str, ask: Ask, owned: Dict[int, str], depth: int = _DEPTH) -> None:
        self.name, self.ask, self.owned, self.depth = name, ask, owned, depth
        self.texts: Texts = {}
        self.first: Dict[str, str] = {}
        self.held: List[Tuple[Ask, Any]] = []
        self.objects: List[Tuple[Ask, int]] = []
        self.sizes: List[Tuple[Callable[[], int], int]] = []

    def look(self, key: str) -> bool:
        """Look through all that it holds; False where no text in it names a database."""
        self.forget()
        self.texts, self.held, self.objects, self.sizes = {}, [], [], []
        value = self.ask()
        return value is not ABSENT and self._look(self.name, (key,), value, self.ask, self.depth, set())

    def forget(self) -> None:
        """Leave what it holds to others."""
        for where in [where for where, name in self.owned.items() if name == self.name]:
            del self.owned[where]

    def settle(self) -> None:
        """Take what it holds now for what it held at first."""
        self.first = {name: text for name, (_, text) in self.texts.items()}

    def _look(
        self, name: str, keys: Tuple[str, ...], value: Any, ask: Ask, depth: int, seen: Set[int]
    ) -> bool:
        text = text_of_setting(keys[-1], value)
        if text is not None:
            self.texts[name] = keys, text
            self.held.append((ask, value))
            return True
        if depth <= 0 or len(seen) > _LOOKED_AT_MOST:
            return False
        parts, where = parts_of(value), address(value)
        if parts is None or where in seen:
            return False
        if depth == self.depth and self.owned.get(where, self.name) != self.name:
            self.objects.append((ask, where))
            return True
        seen.add(where)
        found = is_configuration(name)
        for part in parts:
            inner = (*keys, part.key) if part.key else keys
            found |= self._look(name + part.suffix, inner, part.value, part.ask, depth - 1, seen)
        if found:
            if depth == self.depth:
                self.owned[where] = self.name
            self.objects.append((ask, where))
            size = size_of(value)
            if size is not None:
                self.sizes.append((size, size()))
        return found


class _Module:
    __slots__ = ("count", "globals", "known", "name", "text")

    def __init__(self, name: str, globals_: Dict[str, Any]) -> None:
        self.name, self.globals, self.count = name, globals_, -1
        self.known: Set[str] = set()
        self.text: Optional[str] = None

    def defines(self, name: str) -> bool:
        """Tell whether the module's own text assigns to a global, which others only import."""
        if self.text is None:
            self.text = _text_of(self.globals.get("__file__"))
        return re.search(rf"(?m)^(class\s+)?{re.escape(name)}\b\s*[:=(]", self.text) is not None


class SettingsProbe:
    """Writes down which text that names a database was replaced, by what, and on which line of the tests."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._lines = recorder, Lines()
        self._loaded = 0
        self._modules: Dict[str, _Module] = {}
        self._roots: Dict[str, _Root] = {}
        self._apart: Dict[str, _Root] = {}  # values of fixtures, and of functions that named a database
        self._literals: Dict[Tuple[str, int, str], Optional[str]] = {}
        self._owned: Dict[int, str] = {}  # the address of an object -> the root that looks into it
        self._ran: List[Any] = []  # functions of fixtures that have run since it was last looked
        self._dull: Set[str] = set()  # fixtures and locals in which there was nothing to look at
        self._held: List[Tuple[Ask, Any, _Root]] = []
        self._objects: List[Tuple[Ask, int, _Root]] = []
        self._sizes: List[Tuple[Callable[[], int], int, _Root]] = []
        self._is_looking = self._has_begun = self._is_watching = False

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
        self._ran.append(function)
        if fixture not in self._dull and not self._take_in(f"fixture {fixture}", fixture, value, _DEPTH):
            self._dull.add(fixture)

    @quietly
    def read(self, url: str) -> Optional[str]:
        """A database was named: what holds its URL in the functions that are running is looked at, too.

        Returns the global (module.name) whose text in the program is the URL, "" for a text that stands there at the
        line that named it, None for neither.
        """
        self.look()
        # Until Python 3.13, to look at a function's locals keeps them alive as long as it runs: not for those of tests.
        frames = [
            frame for frame in _frames()
            if frame.f_code.co_flags & _OF_A_FUNCTION and not is_of_tests(frame.f_code.co_filename)
        ]
        for frame in sorted(frames, key=lambda frame: owner(frame.f_code.co_filename) is not APPLICATION):
            for name, value in list(frame.f_locals.items()):
                place = f"{_module_of(frame)}.{frame.f_code.co_name}.{name}"
                if place not in self._dull and not self._take_in(place, name, value, _DEPTH_OF_LOCALS, url):
                    self._dull.add(place)
        return self.literal(url)

    @quietly
    def literal(self, url: str) -> Optional[str]:
        """Return what `read` does, of the line that is running."""
        frame = next((one for one in _frames() if owner(one.f_code.co_filename) is APPLICATION), None)
        if frame is None:
            return None
        file, line = absolute(frame.f_code.co_filename), frame.f_lineno
        if (file, line, url) not in self._literals:
            name = self._lines.literal_at(file, line, lambda text: _is_setting(text) and names(text, url))
            self._literals[file, line, url] = f"{_module_of(frame)}.{name}" if name else name
        return self._literals[file, line, url]

    def _take_in(self, name: str, key: str, value: Any, depth: int, url: str = "") -> bool:
        """Look at an object from now on, as long as it is there; with `url` only if it holds the place of that.

        Returns whether it has anything to look at.
        """
        pointer = pointer_to(value) if parts_of(value) is not None and not is_a(value, type) else None
        if pointer is None or len(self._apart) >= _APART_AT_MOST:
            return False
        if address(value) in self._owned:
            return True
        root = _Root(name, pointer, self._owned, depth)
        if root.look(key) and (not url or any(names(text, url) for _, text in root.texts.values())):
            root.settle()
            self._apart[name] = root
            self._is_watching = False
            return True
        root.forget()
        return False

    def text_at(self, name: str) -> str:
        """Return the text that a place holds now; "" where it holds none."""
        self.look()
        every = (*self._roots.values(), *self._apart.values())
        return next((root.texts[name][1] for root in every if name in root.texts), "")

    def _look(self, ran: Tuple[Any, ...]) -> None:
        for name, root in list(self._apart.items()):
            if root.ask() is None:
                del self._apart[name]
                self._is_watching = False
        if not self._is_watching:
            self._watch()
        for root in self._different():
            self._changed(root, (*ran, *self._ran))
            self._is_watching = False
        if CURRENT.test is not None and not self._has_begun:
            self._has_begun = True  # what had nothing in it when its module was imported can have by now
            for module in self._modules.values():
                module.count, module.known = -1, set()
        self._take_in_modules()
        self._ran.clear()

    def _watch(self) -> None:
        """Put what is compared into lists, which takes less than to go through roots."""
        every = [*self._roots.values(), *self._apart.values()]
        self._held = [(ask, value, root) for root in every for ask, value in root.held]
        self._objects = [(ask, where, root) for root in every for ask, where in root.objects]
        self._sizes = [(size, before, root) for root in every for size, before in root.sizes]
        self._is_watching = True

    def _different(self) -> List[_Root]:
        """The roots in which anything is different, each once."""
        found = [root for ask, value, root in self._held if ask() is not value]
        found += [root for ask, where, root in self._objects if address(ask()) != where]
        found += [root for size, before, root in self._sizes if size() != before]
        return list({root.name: root for root in found}.values())

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
                    self._modules[name] = _Module(name, held_by(module))
        for name, known in list(self._modules.items()):
            loaded = sys.modules.get(name)
            if not is_a(loaded, ModuleType) or held_by(loaded) is not known.globals:
                del self._modules[name]
                self._loaded = 0
        new = [(known, name) for known in self._modules.values() for name in self._new_globals(known)]
        for known, name in sorted(new, key=lambda one: not one[0].defines(one[1])) if new else ():
            root = _Root(
                f"{known.name}.{name}", functools.partial(dict.get, known.globals, name, ABSENT), self._owned
            )
            if root.look(name):
                root.settle()
                self._roots[root.name] = root
                self._is_watching = False
                self._changed_before(root, known.globals.get("__file__"))

    def _new_globals(self, known: _Module) -> List[str]:
        if len(known.globals) == known.count:
            return []
        known.count = len(known.globals)
        new = [name for name in known.globals if type(name) is str and name not in known.known]
        known.known.update(new)
        return [
            name for name in new if not name.startswith(("__", "@")) and f"{known.name}.{name}" not in self._roots
        ]

    def _changed_before(self, root: _Root, file: Any) -> None:
        """Report what a module's own text gives another value than it is found with."""
        for name, (keys, text) in root.texts.items():
            written = self._lines.literal(file, keys) if type(file) is str else None
            if written is not None and written != text and text_of_setting(keys[-1], written) and text:
                root.first[name] = written
                self._tell(root, name, keys, written, text, ())


def _text_of(file: Any) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read()
    except (OSError, TypeError, ValueError):
        return ""


def _is_setting(text: str) -> bool:
    return bool(text_of_setting("", text))


def _module_of(frame: FrameType) -> str:
    """The name of the module that a frame runs in; "" where a program has put something else there."""
    name = dict.get(frame.f_globals, "__name__")
    return name if type(name) is str else ""


def _frames() -> List[FrameType]:
    """The functions that are running, the probes' own left aside, innermost first."""
    found: List[FrameType] = []
    frame = sys._getframe(1)
    while frame is not None and len(found) < _FRAMES_AT_MOST:
        if not _module_of(frame).startswith(_OWN):
            found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _is_the_applications(module: ModuleType) -> bool:
    file, name = held_by(module).get("__file__"), held_by(module).get("__name__")
    of_tests = type(name) is str and name.rpartition(".")[2].startswith(("conftest", "test_"))
    return type(file) is str and owner(file) is APPLICATION and not of_tests

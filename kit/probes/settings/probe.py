"""Watches the texts in the program's state that name a database: in its modules, objects, mappings and fixtures.

They are compared with their previous values when an engine is made or a database is used, and after each phase of a
test. Where something changed, the object is searched again, and `lines` finds the line that changed it.
"""

from __future__ import annotations

from types import FrameType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Set, Tuple

from ..callables import code_of
from ..context import CURRENT
from ..environ import shown
from ..frames import APPLICATION, Stack, absolute, owner
from ..loaded import application_modules, newest_module
from ..objects import address, held_by, is_a, pointer_to
from ..own import functools, re, sys
from ..own import own_builtins as __builtins__  # noqa: F401
from ..quiet import quietly
from ..recorder import Recorder
from ..redact import learn_all
from .lines import Lines, is_of_tests
from .values import ABSENT, Ask, is_configuration, names, parts_of, size_of, text_of_setting

_DEPTH = 4  # from a module's global
_LOOKED_AT_MOST = 3000  # objects within one global
_ALSO_AT_MOST = 5
_APART_AT_MOST = 50  # values of fixtures and locals that are watched
_FRAMES_AT_MOST = 30
_DEPTH_OF_LOCALS = 3
_OF_A_FUNCTION = 1  # without it (class bodies, exec) locals can be the program's mapping
_ASSIGNED = re.compile(r"(?m)^(?:class\s+)?([^\W\d]\w*)\s*[:=(]")  # the names at the left of a module's statements
_OWN = __name__.partition(".settings")[0]

Texts = Dict[str, Tuple[Tuple[str, ...], str]]  # dotted name -> its keys, its text


class _Root:
    """A global, or a fixture's value, with the texts in it.

    `held` are the texts at the last check, `objects` the addresses of the objects that hold them, `sizes` the lengths
    of their mappings: a difference in any of these is a change. `owned` maps each object to the root that watches it,
    since several globals can hold the same object.
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
        """Search all that the root holds; return whether there is anything to watch."""
        self.forget()
        self.texts, self.held, self.objects, self.sizes = {}, [], [], []
        value = self.ask()
        return value is not ABSENT and self._look(self.name, (key,), value, self.ask, self.depth, set())

    def forget(self) -> None:
        """Release the objects that this root watches, so that another root can watch them."""
        for where in [where for where, name in self.owned.items() if name == self.name]:
            del self.owned[where]

    def settle(self) -> None:
        """Take the current texts as the initial ones."""
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
    __slots__ = ("assigned", "count", "globals", "known", "module", "name")

    def __init__(self, name: str, module: ModuleType) -> None:
        self.name, self.module, self.globals, self.count = name, pointer_to(module), held_by(module), -1
        self.known: Set[str] = set()
        self.assigned: Optional[Set[str]] = None

    def defines(self, name: str) -> bool:
        """Return whether the module's source assigns to a global, instead of importing it."""
        if self.assigned is None:
            self.assigned = set(_ASSIGNED.findall(_text_of(self.globals.get("__file__"))))
        return name in self.assigned

    def line_of(self, name: str) -> int:
        """Return the line of the module's source that assigns to a global; 0 for none or several."""
        lines = enumerate(_text_of(self.globals.get("__file__")).splitlines(), 1)
        found = [number for number, line in lines if name in _ASSIGNED.findall(line)]
        return found[0] if len(found) == 1 else 0


class SettingsProbe:
    """Records each replacement of a text that names a database, with the line of the tests that did it."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self._lines = recorder, Lines()
        self._newest: Tuple[Any, ...] = ()
        self._modules: Dict[str, _Module] = {}
        self._roots: Dict[str, _Root] = {}
        self._apart: Dict[str, _Root] = {}  # values of fixtures and of locals
        self._literals: Dict[Tuple[str, int, str], Optional[str]] = {}
        self._located: Set[Tuple[str, str]] = set()  # strings of the program whose lines have been looked up
        self._owned: Dict[int, str] = {}  # address of an object -> the root that watches it
        self._ran: List[Any] = []  # functions of fixtures that ran since the last check
        self._dull: Set[str] = set()  # fixtures and locals with nothing to watch
        self._held: List[Tuple[Ask, Any, _Root]] = []
        self._objects: List[Tuple[Ask, int, _Root]] = []
        self._sizes: List[Tuple[Callable[[], int], int, _Root]] = []
        self._is_looking = self._has_begun = self._is_watching = False

    @quietly
    def look(self, ran: Tuple[Any, ...] = ()) -> None:
        """Compare the texts with the previous check. `ran` are functions of the tests that may have changed them."""
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
        self._given(fixture, function, value)
        if fixture not in self._dull and not self._take_in(f"fixture {fixture}", fixture, value, _DEPTH):
            self._dull.add(fixture)

    def _given(self, fixture: str, function: Any, value: Any) -> None:
        text, code = text_of_setting("", value), code_of(function)
        if text and code is not None and owner(code.co_filename) is APPLICATION:
            where: Stack = ((absolute(code.co_filename), code.co_firstlineno, code.co_name, None),)
            learn_all({fixture: text})
            self._recorder.event("given", stack=where, apart=(fixture, text), name=fixture, value=shown(fixture, text))

    @quietly
    def read(self, url: str) -> Optional[str]:
        """Watch the locals of running functions that hold this URL, which is about to be used.

        Returns what `literal` does.
        """
        self.look()
        # Before Python 3.13, reading f_locals keeps the locals alive as long as the function runs: not done for tests.
        frames = [
            frame for frame in _frames()
            if frame.f_code.co_flags & _OF_A_FUNCTION and not is_of_tests(frame.f_code.co_filename)
        ]
        for frame in sorted(frames, key=lambda frame: owner(frame.f_code.co_filename) is not APPLICATION):
            for name, value in list(frame.f_locals.items()):
                place = f"{_module_of(frame)}.{frame.f_code.co_name}.{name}"
                if place not in self._dull and not self._take_in(place, name, value, _DEPTH_OF_LOCALS, url):
                    self._dull.add(place)
        found = self.literal(url)
        if found is None:
            self._holding(url)
        return found

    def _holding(self, url: str) -> None:
        """Record where the strings of the program's state that name a URL stand in its source, or what holds them."""
        every = [(root, name, text) for root in self._roots.values() for name, (_, text) in root.texts.items()]
        for root, name, text in every:
            module = self._modules.get(root.name.rpartition(".")[0])
            if module is None or not text or (name, text) in self._located or not names(text, url):
                continue
            self._located.add((name, text))
            file = module.globals.get("__file__")
            if type(file) is not str:
                continue
            stands = self._lines.of_text(file, text)
            line = stands or module.line_of(root.name.rpartition(".")[2])
            if line:
                where: Stack = ((absolute(file), line, "<module>", None),)
                value = shown(name, text)
                self._recorder.event(
                    "text", stack=where, apart=(name, text), name=name, value=value, is_held=not stands
                )

    @quietly
    def literal(self, url: str) -> Optional[str]:
        """Return the source of a URL that is a literal of the program, as used by the running line.

        The global (module.name) that the literal is assigned to, "" if it is in the line or its function, None
        otherwise.
        """
        frame = next((one for one in _frames() if owner(one.f_code.co_filename) is APPLICATION), None)
        if frame is None:
            return None
        file, line = absolute(frame.f_code.co_filename), frame.f_lineno
        if (file, line, url) not in self._literals:
            name = self._lines.literal_at(file, line, lambda text: _is_setting(text) and names(text, url))
            self._literals[file, line, url] = f"{_module_of(frame)}.{name}" if name else name
        return self._literals[file, line, url]

    def _take_in(self, name: str, key: str, value: Any, depth: int, url: str = "") -> bool:
        """Watch an object while it exists, with `url` only if it holds that. Return whether it holds any settings."""
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
        """Return the current text of a setting, by its dotted name; "" without one."""
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
            self._has_begun = True  # a global that was empty at import can hold settings by now
            for module in self._modules.values():
                module.count, module.known = -1, set()
        self._take_in_modules((*ran, *self._ran))
        self._ran.clear()

    def _watch(self) -> None:
        """Flatten all roots into lists, which are faster to compare."""
        every = [*self._roots.values(), *self._apart.values()]
        self._held = [(ask, value, root) for root in every for ask, value in root.held]
        self._objects = [(ask, where, root) for root in every for ask, where in root.objects]
        self._sizes = [(size, before, root) for root in every for size, before in root.sizes]
        self._is_watching = True

    def _different(self) -> List[_Root]:
        """Return the roots in which something has changed, each once."""
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
        """Yield other settings that still hold the previous text."""
        found = [
            other for root in self._roots.values() for other, (_, text) in root.texts.items()
            if before and other != name and text and names(text, before)
        ]
        yield from found[:_ALSO_AT_MOST]

    def _take_in_modules(self, ran: Tuple[Any, ...]) -> None:
        loaded, every = sys.modules.get, list(self._modules.values())
        for known in [one for one in every if one.module is None or one.module() is not loaded(one.name)]:
            self._replace(known, loaded(known.name), ran)
        newest = newest_module()
        if newest != self._newest:
            self._newest = newest
            for name, module in application_modules():
                if name not in self._modules and not _is_named_as_a_test(module):
                    self._modules[name] = _Module(name, module)
        grown = [known for known in self._modules.values() if len(known.globals) != known.count]
        new = [(known, name) for known in grown for name in self._new_globals(known)]
        for known, name in sorted(new, key=lambda one: not one[0].defines(one[1])) if new else ():
            root = _Root(f"{known.name}.{name}", _asking(known, name), self._owned)
            if root.look(name):
                root.settle()
                self._roots[root.name] = root
                self._is_watching = False
                self._changed_before(root, known.globals.get("__file__"))

    def _replace(self, known: _Module, loaded: Any, ran: Tuple[Any, ...]) -> None:
        """Watch the globals of the module that has this name now, compared with those of the one before."""
        del self._modules[known.name]
        now = _Module(known.name, loaded) if is_a(loaded, ModuleType) else None
        if now is not None:
            self._modules[known.name] = now
        for root in [one for one in self._roots.values() if one.name.rpartition(".")[0] == known.name]:
            name = root.name.rpartition(".")[2]
            if now is not None and name in now.globals:
                root.ask = _asking(now, name)
                self._changed(root, ran)
            else:
                root.forget()
                del self._roots[root.name]
        self._is_watching = False

    def _new_globals(self, known: _Module) -> List[str]:
        known.count = len(known.globals)
        new = [name for name in known.globals if type(name) is str and name not in known.known]
        known.known.update(new)
        return [
            name for name in new if not name.startswith(("__", "@")) and f"{known.name}.{name}" not in self._roots
        ]

    def _changed_before(self, root: _Root, file: Any) -> None:
        """Report settings whose value differs from the literal in their module's source when they are first seen."""
        for name, (keys, text) in root.texts.items():
            written = self._lines.literal(file, keys) if type(file) is str else None
            if written is not None and written != text and text_of_setting(keys[-1], written) and text:
                root.first[name] = written
                self._tell(root, name, keys, written, text, ())


def _asking(module: _Module, name: str) -> Ask:
    return functools.partial(dict.get, module.globals, name, ABSENT)


def _text_of(file: Any) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read()
    except (OSError, TypeError, ValueError):
        return ""


def _is_setting(text: str) -> bool:
    return bool(text_of_setting("", text))


def _module_of(frame: FrameType) -> str:
    """Return the name of the module that a frame runs in; "" if its globals hold no text under `__name__`."""
    name = dict.get(frame.f_globals, "__name__")
    return name if type(name) is str else ""


def _frames() -> List[FrameType]:
    """Return the frames on the stack, without those of the probes, innermost first."""
    found: List[FrameType] = []
    frame = sys._getframe(1)
    while frame is not None and len(found) < _FRAMES_AT_MOST:
        if not _module_of(frame).startswith(_OWN):
            found.append(frame)
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _is_named_as_a_test(module: ModuleType) -> bool:
    name = held_by(module).get("__name__")
    return type(name) is str and name.rpartition(".")[2].startswith(("conftest", "test_"))

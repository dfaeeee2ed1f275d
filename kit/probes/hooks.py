"""Installing and removing probes: monkeypatches, import hooks, audit hooks.

Every change is remembered, so that removal is a loop that restores the originals. A library is patched when it is
imported, or at once if it is already; the result is the same.
"""

from __future__ import annotations

from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, FunctionType, ModuleType
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from .audited import listen
from .loaded import newest_module
from .objects import held_by, is_a, is_lazy
from .own import functools, sys
from .own import own_builtins as __builtins__  # noqa: F401

CO_COROUTINE = 0x80  # a bit of co_flags
_OF_THE_IMPORT_SYSTEM = "<frozen importlib._bootstrap_external>"  # Python takes its frames out of tracebacks
PASSED_OVER = "<probes, passed over as importlib._bootstrap is>"  # the file name of wrappers

_ABSENT = object()


class Hooks:
    """The changes in force. `failures` has the probes that could not be installed or have failed, with the reasons."""

    def __init__(self) -> None:
        self._undo: List[Callable[[], None]] = []
        self._on_import: Dict[str, List[Callable[[ModuleType], None]]] = {}
        self._again: Dict[str, List[Callable[[ModuleType], None]]] = {}
        self._finder: Optional[_AfterImport] = None
        self._done: Set[str] = set()
        self._newest: Tuple[Any, ...] = ()  # of `newest_module`, when nothing was left to catch up with
        self.by_finder: Set[str] = set()  # modules that the finder is executing
        self.failures: Dict[str, str] = {}

    def replace(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        """Set `owner.name` to `make(original)` until removal.

        The replacement gets the original's name, docstring and signature, since libraries inspect them.
        """
        own = vars(owner).get(name)
        if isinstance(own, classmethod):
            replacement: Any = classmethod(_to_be_pickled(own.__func__, make(own.__func__)))
        else:
            original = getattr(owner, name)
            replacement = _in_the_shape_of(original, make(original))
        self.replace_by(owner, name, replacement)

    def replace_by(self, owner: Any, name: str, replacement: Any) -> None:
        """Set `owner.name` to `replacement` until removal."""
        own = vars(owner).get(name, _ABSENT)
        setattr(owner, name, replacement)

        def undo() -> None:
            if vars(owner).get(name) is replacement:
                if own is _ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, own)

        self._undo.append(undo)

    def on_removal(self, undo: Callable[[], None]) -> None:
        self._undo.append(undo)

    def when_imported(self, module: str, install: Callable[[Any], None], again: bool = False) -> None:
        """Call `install(module)` once the module has been executed, or now if it already is.

        With `again`, also each time it is executed again: reloaded, or imported after it was removed from sys.modules.
        """
        if self._finder is None:
            self._finder = _AfterImport(self)
            sys.meta_path.insert(0, self._finder)
            self._undo.append(listen("import", self._importing))
            self._undo.append(listen("exec", self._executing))
        self._on_import.setdefault(module, []).append(install)
        if again:
            self._again.setdefault(module, []).append(install)
        self.catch_up(module)

    def catch_up_late(self, tell: Callable[[str], None]) -> None:
        """Patch modules that were imported without the import hook, and report each: it was not observed until now."""
        newest = newest_module()
        if newest == self._newest:  # this is asked after each phase of a test
            return
        waiting = list(self._on_import)
        self.catch_up(*waiting) if waiting else None
        for name in waiting:
            if name not in self._on_import:
                tell(name)
        is_under_way = any(name in sys.modules for name in self._on_import)
        self._newest = () if is_under_way else newest

    def catch_up(self, *modules: str) -> None:
        """Patch modules that were imported without the import hook; by default, all that are waited for."""
        for name in modules or tuple(self._on_import):
            module: Any = sys.modules.get(name)
            if is_lazy(module):
                self._finder.report_execution(module) if self._finder is not None else None
            elif _is_imported(module):
                self.imported(name, module)

    def _importing(self, event: Any) -> None:
        """Move the finder to the front of sys.meta_path before an import, if the program has inserted others."""
        if not self.wants(event[0]) or self._finder is None:
            return
        finders = sys.meta_path
        if type(finders) is not list:
            self.failed(event[0], TypeError("sys.meta_path is no list"))
        elif not (finders and finders[0] is self._finder):
            finders[:] = [self._finder, *[finder for finder in finders if finder is not self._finder]]

    def _executing(self, event: Any) -> None:
        """Watch for the end of an import that bypassed the finder (`importlib.import_module`)."""
        code = event[0]
        if type(code) is not CodeType or code.co_name != "<module>" or not self._on_import:
            return
        for name in [name for name in self._on_import if _is_code_of(name, code) and name not in self.by_finder]:
            spec = held_by(sys.modules.get(name)).get("__spec__")
            if type(spec) is ModuleSpec:
                call_when_imported(spec, functools.partial(self.catch_up, name))

    def wants(self, name: str) -> bool:
        return name in self._on_import or name in self._again

    def imported(self, name: str, module: ModuleType) -> None:
        waiting = self._on_import.pop(name, []) or self._again.get(name, [])
        self._done.update((name,) if waiting else ())
        for install in waiting:
            try:
                install(module)
            except Exception as error:  # an unknown version of a library must not break the program
                self.failed(name, error)

    def failed(self, what: str, error: BaseException) -> None:
        """Keep the first failure of each probe."""
        self.failures.setdefault(what, f"{type(error).__name__}: {error}".splitlines()[0])

    @property
    def installed(self) -> List[str]:
        """The modules that are patched."""
        return sorted(self._done - set(self.failures))

    def remove(self) -> None:
        while self._undo:
            self._undo.pop()()
        if self._finder is not None and self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        self._finder = None
        self._on_import.clear()
        self._again.clear()
        self._done.clear()


def out_of_traceback(error: BaseException) -> None:
    """Remove the caller's frame, a wrapper, from the traceback of an error; to be followed by `raise`.

    Python before 3.11 still shows the frame; pytest hides it because of its `__tracebackhide__`.
    """
    traceback = error.__traceback__
    if traceback is not None and traceback.tb_frame is sys._getframe(1):
        error.__traceback__ = traceback.tb_next


def parameters_of(function: Any) -> List[Any]:
    """Return a function's parameters, without evaluating its annotations (Python 3.14 and later would)."""
    from inspect import signature

    options: Dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        from annotationlib import Format

        options["annotation_format"] = Format.FORWARDREF
    return list(signature(function, **options).parameters.values())


def with_arguments_of(original: Any, replacement: Callable[..., Any]) -> Any:
    """Return a function with exactly the parameters of `original`, which calls `replacement`.

    SQLAlchemy reads the options of an engine from the parameter names in the code of its constructor.
    """
    from inspect import Parameter

    parameters = parameters_of(original)
    stars: Dict[Any, str] = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
    declared: List[str] = []
    for parameter in parameters:
        if parameter.kind is Parameter.KEYWORD_ONLY and not any(part.startswith("*") for part in declared):
            declared.append("*")
        default = "" if parameter.default is Parameter.empty else "=None"
        declared.append(stars.get(parameter.kind, "") + parameter.name + default)
    passed = [
        f"{one.name}={one.name}" if one.kind is Parameter.KEYWORD_ONLY else stars.get(one.kind, "") + one.name
        for one in parameters
    ]
    text = f"def call({', '.join(declared)}):\n    return _replacement({', '.join(passed)})\n"
    namespace: Dict[str, Any] = {"_replacement": replacement}
    exec(compile(text, PASSED_OVER, "exec"), namespace)  # its names come from a signature, so they are identifiers
    call = namespace["call"]
    given = [one for one in parameters if one.default is not Parameter.empty]
    call.__defaults__ = tuple(one.default for one in given if one.kind is not Parameter.KEYWORD_ONLY)
    call.__kwdefaults__ = {one.name: one.default for one in given if one.kind is Parameter.KEYWORD_ONLY}
    return call


def _in_the_shape_of(original: Any, replacement: Any) -> Any:
    shaped: Any = functools.update_wrapper(passed_over(replacement), original)
    if type(original) is not FunctionType:  # a function in C has no annotations
        shaped.__annotations__ = {}
    return shaped


class _StandingIn:
    """Calls the replacement of a function. Pickled, it becomes the original function."""

    def __init__(self, original: Any, replacement: Any) -> None:
        self._original, self._replacement = original, replacement

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        try:
            return self._replacement(*args, **kwargs)
        except BaseException as error:
            out_of_traceback(error)
            raise

    def __reduce__(self) -> Any:
        from copy import copy

        return copy, (self._original,)


_HANDING_ON = """\
{is_async}def call(*args, **kwargs):
    __tracebackhide__ = True
    try:
        return {waits}_standing_in(*args, **kwargs)
    except BaseException as error:
        error.__traceback__ = error.__traceback__.tb_next  # without this frame
        raise
"""


def _to_be_pickled(original: Any, replacement: Any) -> Any:
    """Return a function that calls `replacement`, and that becomes the original when it is pickled by value.

    cloudpickle and dill do that with a function that they cannot find by its name, such as a class method's.
    """
    is_async = bool(replacement.__code__.co_flags & CO_COROUTINE)
    text = _HANDING_ON.format(is_async="async " if is_async else "", waits="await " if is_async else "")
    namespace: Dict[str, Any] = {"_standing_in": _StandingIn(original, passed_over(replacement))}
    exec(compile(text, PASSED_OVER, "exec"), namespace)
    return _in_the_shape_of(original, namespace["call"])


def passed_over(function: Any) -> Any:
    """Make `warnings` skip a function's frame, so that warnings with a stack level name the same line as without it.

    `warnings` skips frames of the import system, which it recognizes by their file name.
    """
    if type(function) is FunctionType:
        function.__code__ = function.__code__.replace(co_filename=PASSED_OVER)
    return function


class _AfterImport(MetaPathFinder):
    """A finder that delegates to the others, and wraps the loader to be called after the module was executed."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._under_way: Set[str] = set()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Optional[ModuleSpec]:
        if not self._hooks.wants(fullname) or fullname in self._under_way:  # another such finder delegates to this one
            return None
        self._under_way.add(fullname)
        try:
            return self._find(fullname, path, target)
        except BaseException as error:
            out_of_traceback(error)
            raise
        finally:
            self._under_way.discard(fullname)

    def _find(self, fullname: str, path: Any, target: Any) -> Optional[ModuleSpec]:
        for finder in list(sys.meta_path):
            find_spec = getattr(finder, "find_spec", None)
            if finder is self or find_spec is None:
                continue
            try:
                spec = find_spec(fullname, path, target)
            except BaseException as error:
                out_of_traceback(error)
                raise
            if spec is not None:
                self._report_import(spec)
                return spec  # type: ignore[no-any-return]
        return None

    def report_execution(self, module: ModuleType) -> None:
        """Wrap the loader that a lazy module calls when its first attribute is read."""
        spec = held_by(module).get("__spec__")
        if type(spec) is ModuleSpec and "exec_module" not in held_by(spec.loader):
            self._report_import(spec, is_executed=True)

    def _report_import(self, spec: ModuleSpec, is_executed: bool = False) -> None:
        """Wrap the loader; with `is_executed` it executes the module, even if this is still of a lazy type then."""
        loader, hooks, name = spec.loader, self._hooks, spec.name
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            return

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)  # restore the loader before the module's code runs
            hooks.by_finder.add(name)
            try:
                execute(module)
            except BaseException as error:
                out_of_traceback(error)
                raise
            finally:
                hooks.by_finder.discard(name)
            if held_by(module).get("__name__") != name:  # a loader can be shared by modules
                return
            # In newer Pythons (3.13, not yet 3.12.1) a module is of the lazy type until its own loader has ended.
            own = held_by(held_by(module).get("__spec__")).get("loader") is loader
            if is_lazy(module) and not is_executed and not own:
                self.report_execution(module)
            else:
                hooks.imported(name, module)

        # Else the frames of the import system around it would be shown where the module's own code raises.
        exec_module.__code__ = exec_module.__code__.replace(co_filename=_OF_THE_IMPORT_SYSTEM)
        try:
            loader.exec_module = exec_module  # type: ignore[union-attr, method-assign]
        except AttributeError as error:
            hooks.failed(name, error)


def _is_code_of(name: str, code: CodeType) -> bool:
    file = "/" + code.co_filename.replace("\\", "/")
    path = name.replace(".", "/")
    return file.endswith((f"/{path}.py", f"/{path}/__init__.py"))


class _WatchedSpec(ModuleSpec):
    """The spec of a module during its import: the import system sets an attribute of it at the end."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "_initializing" and not value:
            waiting = vars(self).pop("_kit_tell")
            object.__setattr__(self, "__class__", ModuleSpec)
            for tell in waiting:
                tell()


def call_when_imported(spec: ModuleSpec, tell: Callable[[], None]) -> None:
    """Call `tell` when the import of the module with this spec has finished, or failed."""
    vars(spec).setdefault("_kit_tell", []).append(tell)
    spec.__class__ = _WatchedSpec


def _is_imported(module: Any) -> bool:
    """Return whether a module is completely imported; False for a fake module in a test."""
    spec = held_by(module).get("__spec__") if is_a(module, ModuleType) else None
    return is_a(spec, ModuleSpec) and not held_by(spec).get("_initializing", False)

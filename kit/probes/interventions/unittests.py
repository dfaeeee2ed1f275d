"""Interventions on tests that unittest runs without pytest: which run, in which order, and when to stop."""

from __future__ import annotations

from typing import Any, Callable, FrozenSet, Iterator, List, Tuple

from ..hooks import Hooks
from ..own import os
from ..own import own_builtins as __builtins__  # noqa: F401
from ..unittest_use import name_of

_LAST = float("inf")


class Choice:
    """Leaves tests out, runs only some, or runs some first. `record_effect` is called if that changes anything.

    A file that is left out is not imported, either.
    """

    def __init__(
        self, op: str, tests: Tuple[str, ...], files: FrozenSet[str], record_effect: Callable[[], None],
    ) -> None:
        self._op, self._tests, self._files, self._record_effect = op, tests, files, record_effect
        self._folder = os.getcwd()
        self._is_running = False

    def install(self, hooks: Hooks) -> None:
        self._hooks = hooks
        hooks.when_imported("unittest.suite", self._watch_suites)
        if self._op == "leave-out" and self._files:
            hooks.when_imported("unittest.loader", self._watch_loading)

    def _watch_suites(self, suite: Any) -> None:
        choice = self

        def running(original: Any) -> Any:
            def run(suite: Any, *args: Any, **kwargs: Any) -> Any:
                if choice._is_running:  # a nested suite
                    return original(suite, *args, **kwargs)
                choice._is_running = True
                try:
                    choice._choose(suite)
                    return original(suite, *args, **kwargs)
                finally:
                    choice._is_running = False
            return run

        self._hooks.replace(suite.TestSuite, "run", running)

    def _choose(self, suite: Any) -> None:
        tests = list(_each(suite))
        kept = self._kept(tests)
        if kept != tests:
            self._record_effect()
            suite._tests = kept

    def _kept(self, tests: List[Any]) -> List[Any]:
        if self._op == "first":
            order = {test: number for number, test in enumerate(self._tests)}
            return sorted(tests, key=lambda test: order.get(name_of(test, self._folder), _LAST))
        return [test for test in tests if self._is_named(test) is (self._op == "only")]

    def _is_named(self, test: Any) -> bool:
        name = name_of(test, self._folder)
        file = os.path.realpath(os.path.join(self._folder, name.partition("::")[0]))
        return file in self._files or any(name == one or name.startswith(f"{one}::") for one in self._tests)

    def _watch_loading(self, loader: Any) -> None:
        choice = self

        def finding(original: Any) -> Any:
            def _find_test_path(loader: Any, full_path: str, *args: Any, **kwargs: Any) -> Any:
                if os.path.realpath(full_path) in choice._files:
                    choice._record_effect()
                    return None, False
                return original(loader, full_path, *args, **kwargs)
            return _find_test_path

        def naming(original: Any) -> Any:
            def loadTestsFromName(loader: Any, name: str, module: Any = None) -> Any:
                if module is None and any(file in choice._files for file in _files_of(name)):
                    choice._record_effect()
                    return loader.suiteClass()
                return original(loader, name, module)
            return loadTestsFromName

        self._hooks.replace(loader.TestLoader, "_find_test_path", finding)
        self._hooks.replace(loader.TestLoader, "loadTestsFromName", naming)


def stop_when(refused: Callable[[], bool], hooks: Hooks) -> None:
    """Start no more tests once a connection has been refused, even if that was while tests were loaded."""
    from unittest.result import TestResult

    def stopping(original: Any) -> Any:
        def run(tests: Any, result: Any = None, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(result, TestResult):  # pytest runs it, and stops by itself
                return original(tests, result, *args, **kwargs)
            if refused():
                result.stop()
            done = original(tests, result, *args, **kwargs)
            if refused():
                result.stop()
            return done
        return run

    hooks.when_imported("unittest.case", lambda case: hooks.replace(case.TestCase, "run", stopping))
    hooks.when_imported("unittest.suite", lambda suite: hooks.replace(suite.TestSuite, "run", stopping))


def _each(suite: Any) -> Iterator[Any]:
    """Yield the tests of a suite and its nested suites, in order."""
    for test in suite:
        if hasattr(test, "_tests"):
            yield from _each(test)
        elif test is not None:
            yield test


def _files_of(name: str) -> Iterator[str]:
    """Yield the files of the modules along a dotted name, importing only packages."""
    from importlib.util import find_spec

    parts = name.split(".")
    for number in range(1, len(parts) + 1):
        spec = find_spec(".".join(parts[:number]))
        if spec is None:
            return
        if spec.origin is not None:
            yield os.path.realpath(spec.origin)
        if spec.submodule_search_locations is None:
            return

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from kit.probes import frames
from kit.probes.frames import APPLICATION, INTERPRETER, LIBRARY, RUNNER, Stack, application_stack, owner, running
from kit.probes.hooks import Hooks
from kit.probes.threads import ThreadProbe


def here() -> Stack:
    return application_stack()


def names(stack: Stack) -> list[str]:
    return [function.rpartition(".")[2] for file, _, function, _ in stack if file == __file__]


def test_frames_are_the_applications_innermost_first() -> None:
    """The stack holds the application's own frames, from the innermost out, and ends with the test."""

    def caller() -> Stack:
        return here()

    stack = caller()
    assert names(stack) == ["here", "caller", "test_frames_are_the_applications_innermost_first"]
    assert {file for file, *_ in stack} == {__file__}
    assert stack[0][1] == here.__code__.co_firstlineno + 1


def test_a_frame_says_which_library_called_it() -> None:
    """Between two frames of the application that a library lies between, the library is named."""
    from sqlalchemy.util import memoized_property

    class Thing:
        @memoized_property
        def stack(self) -> Stack:
            return here()

    stack = Thing().stack
    assert names(stack)[:3] == ["here", "stack", "test_a_frame_says_which_library_called_it"]
    assert [called_by for *_, called_by in stack] == [None, "sqlalchemy", "_pytest"]


def test_frames_are_followed_out_of_greenlets() -> None:
    """Under SQLAlchemy's asyncio half the frames that awaited are found, though they are another greenlet's."""
    from sqlalchemy.util import greenlet_spawn

    async def awaiting() -> Stack:
        stack: Stack = await greenlet_spawn(here)
        return stack

    assert names(asyncio.run(awaiting()))[:2] == ["here", "awaiting"]


def test_frames_of_a_task_are_the_tasks() -> None:
    """A task's stack holds the coroutines that await one another in it."""

    async def inner() -> Stack:
        return here()

    async def outer() -> Stack:
        return await inner()

    async def main() -> Stack:
        return await asyncio.create_task(outer())

    assert names(asyncio.run(main()))[:3] == ["here", "inner", "outer"]


@pytest.fixture
def thread_probe() -> Any:
    hooks = Hooks()
    ThreadProbe().install(hooks)
    yield
    hooks.remove()


def in_thread(call: Callable[[], Stack]) -> Stack:
    """Call something in a thread whose own frames are the interpreter's only."""
    found: list[Stack] = []
    thread = threading.Thread(target=eval("lambda: found.append(call())", {"call": call, "found": found}))
    thread.start()
    thread.join()
    return found[0]


def test_a_thread_without_own_frames_names_who_started_it(thread_probe: None) -> None:
    """In a thread that runs no code of the application's, the frames are those that started the thread."""
    stack = in_thread(application_stack)
    assert names(stack)[:2] == ["in_thread", "test_a_thread_without_own_frames_names_who_started_it"]


def test_a_thread_with_own_frames_keeps_them(thread_probe: None) -> None:
    """In a thread that runs the application's code, the frames are that code's."""
    assert names(in_thread(here)) == ["here"]


def test_a_pools_thread_belongs_to_nobody(thread_probe: None) -> None:
    """A pool's thread, which serves many, is not put down to whoever came first."""
    with ThreadPoolExecutor(1) as pool:
        assert names(pool.submit(application_stack).result()) == []


def test_a_thread_of_nobodys_is_not_made_known() -> None:
    """Asking in a thread that Python's threading did not start leaves its list of threads alone."""
    import _thread

    done, found = threading.Event(), []

    def run() -> None:
        found.append((frames.current_thread(), len(threading.enumerate())))
        done.set()

    before = len(threading.enumerate())
    _thread.start_new_thread(run, ())
    assert done.wait(60)
    assert found == [(None, before)]


def test_a_runaway_recursion_is_cut() -> None:
    """However deep the recursion, few frames are kept, and they are the innermost."""

    def deep(levels: int) -> Stack:
        return deep(levels - 1) if levels else here()

    stack = deep(600)
    assert 20 <= len(stack) <= 30
    assert names(stack)[:2] == ["here", "deep"]


def test_every_running_code_is_told() -> None:
    """Each code on the stack is handed back on request: what runs inside a dependency is told by it."""
    seen: list[CodeType] = []
    application_stack(seen)
    assert seen[0] is application_stack.__code__ or seen[0] is test_every_running_code_is_told.__code__
    assert here.__code__ not in seen


def test_a_librarys_frame_is_found() -> None:
    """The innermost frame of a library's function is found by the library's folder, and none where none runs."""
    from sqlalchemy.util import memoized_property

    class Thing:
        @memoized_property
        def frame(self) -> Any:
            return running("sqlalchemy", "__get__")

    assert Thing().frame.f_code.co_name == "__get__"
    assert running("sqlalchemy") is None


@pytest.mark.parametrize(
    ("filename", "whose"),
    [
        (__file__, APPLICATION),
        (pytest.__file__, LIBRARY),
        (json.__file__, INTERPRETER),
        (frames.__file__, INTERPRETER),
        ("<string>", INTERPRETER),
        ("<frozen importlib._bootstrap>", INTERPRETER),
        (os.path.join(os.path.dirname(pytest.__file__), "..", "_pytest", "runner.py"), RUNNER),
        ("/home/me/project/app/main.py", APPLICATION),
        ("/home/me/project/.venv/lib/python3.12/site-packages/fastapi/routing.py", LIBRARY),
        ("/usr/lib/python3/dist-packages/apt/cache.py", LIBRARY),
        ("asyncpg/protocol/protocol.pyx", LIBRARY),
    ],
)
def test_whose_a_file_is(filename: str, whose: str) -> None:
    """A file is the application's, a library's or the interpreter's by where it lies."""
    assert owner(filename) == whose


def test_an_installed_project_is_the_applications(tmp_path: Path) -> None:
    """A project that was installed from a folder or archive of this machine is the application's; others are not."""
    site = tmp_path / "lib" / "site-packages"
    for name, url in (("mine", "file:///home/me/mine-1.0.tar.gz"), ("theirs", "https://example.org/theirs.whl")):
        record = site / f"{name}-1.0.dist-info"
        record.mkdir(parents=True)
        (record / "direct_url.json").write_text(json.dumps({"url": url}))
        (record / "RECORD").write_text(f"{name}/__init__.py,,\n{name}-1.0.dist-info/RECORD,,\n")
    assert owner(str(site / "mine" / "app.py")) == APPLICATION
    assert owner(str(site / "theirs" / "app.py")) == LIBRARY
    assert owner(str(site / "other.py")) == LIBRARY

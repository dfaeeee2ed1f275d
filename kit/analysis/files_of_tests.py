"""The files in which tests, and what they are given, can stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_CONFTEST = "conftest.py"


def files_of(tests: Iterable[str]) -> Iterator[str]:
    """The files of tests, and every conftest.py that may apply to them."""
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    yield from files
    folders = {"/".join(file.split("/")[:depth]) for file in files for depth in range(file.count("/") + 1)}
    for folder in sorted(folders):
        yield f"{folder}/{_CONFTEST}" if folder else _CONFTEST

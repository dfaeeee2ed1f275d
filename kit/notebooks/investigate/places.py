"""Where notebooks run: each at a time has a pair, and the parents of its trials, which are lent to its kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kit.notebooks.investigate import servers
from kit.trials import fork_server
from kit.trials.runner import usable_cpus
from kit.trials.workspace import base_environ

if TYPE_CHECKING:
    from kit.pair import Pair
    from kit.trials.fork_server import AnyParent
    from kit.trials.stacks import Stack


class Place:
    """Where one notebook runs at a time. Its pair is one of its own, one that is there already, or none."""

    def __init__(self, trials: Stack, *, given: Pair | None = None, own: bool = False) -> None:
        self.pair, self.own, self._python = given, own, str(trials.python)
        self._opened = ExitStack()
        self._parents: list[AnyParent] = []
        try:
            if own:
                self._open()
            if self.pair is not None:
                self._fill()  # they import their libraries while the notebook is made ready
        except BaseException:
            self.close()
            raise

    def make_ready(self) -> None:
        """See that the pair serves the next notebook; open another one where it does not. PairError where none does."""
        found = None if self.pair is None else servers.trouble(self.pair)
        if found is None:
            return
        if not self.own:
            raise found
        self._opened.close()
        self._open()

    def environ(self) -> dict[str, str]:
        """What a kernel is told of this place."""
        if self.pair is None:
            return {}
        self._parents = [parent for parent in self._parents if parent.alive()]
        self._fill()
        return {**self.pair.environ(), fork_server.LENT_VARIABLE: fork_server.lend(self._parents)}

    def close(self) -> None:
        """Give the parents back, and end the pair where it is one of its own."""
        for parent in self._parents:
            fork_server.give_back(parent)
        self._opened.close()

    def _open(self) -> None:
        from kit.pair import open_pair

        self._opened = ExitStack()
        self.pair = self._opened.enter_context(open_pair("embedded"))

    def _fill(self) -> None:
        while len(self._parents) < usable_cpus():
            self._parents.append(fork_server.take(self._python, base_environ(self._python)))


def said_of(places: Sequence[Place]) -> str:
    """In one line, whose pair the notebooks of a run use, where that is not one of their own; else nothing."""
    from kit.pair import description

    given = next((place.pair for place in places if place.pair is not None and not place.own), None)
    return "" if given is None else f"{description(given)} All notebooks use it."


@contextmanager
def places(jobs: int, trials: Stack, *, with_pair: bool) -> Iterator[list[Place]]:
    """A place for each notebook that may run at a time, on the pair that is there, if one is, else each on its own.

    On a pair where trials cannot have databases of their own they would meet, so that one notebook runs at a time.
    """
    with ExitStack() as closing:
        given = _pair_that_is_there(closing) if with_pair else None
        if given is not None and not (given.writable and all(side.admin is not None for side in given.sides)):
            jobs = 1
        found = []
        for _ in range(jobs):
            found.append(Place(trials, given=given, own=with_pair and given is None))
            closing.callback(found[-1].close)
        yield found


def _pair_that_is_there(closing: ExitStack) -> Pair | None:
    from kit.pair import open_pair, status

    if "KIT_PRODUCTION_URL" in os.environ or status() is not None:
        return closing.enter_context(open_pair())
    return None

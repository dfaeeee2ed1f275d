"""The resources of a running notebook: a pair of servers, and the parents of its trials, lent to its kernel."""

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
    """The resources for one notebook at a time. Its pair is its own, one that is already up, or None."""

    def __init__(self, trials: Stack, *, given: Pair | None = None, own: bool = False) -> None:
        self.pair, self.own, self._python = given, own, str(trials.python)
        self._opened = ExitStack()
        self._parents: list[AnyParent] = []
        try:
            if own:
                self._open()
            if self.pair is not None:
                self._fill()  # parents import their libraries while the notebook is prepared
        except BaseException:
            self.close()
            raise

    def make_ready(self) -> None:
        """Check the pair for the next notebook; replace an own pair that fails. Raises PairError if none works."""
        found = None if self.pair is None else servers.trouble(self.pair)
        if found is None:
            return
        if not self.own:
            raise found
        self._opened.close()
        self._open()

    def environ(self) -> dict[str, str]:
        """The variables with which a kernel finds these resources."""
        if self.pair is None:
            return {}
        self._parents = [parent for parent in self._parents if parent.alive()]
        self._fill()
        return {**self.pair.environ(), fork_server.LENT_VARIABLE: fork_server.lend(self._parents)}

    def close(self) -> None:
        """Return the parents, and take down the pair if it is this object's own."""
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


def describe_places(places: Sequence[Place]) -> str:
    """A line on the shared pair that the notebooks of a run use; "" if each has its own."""
    from kit.pair import description

    given = next((place.pair for place in places if place.pair is not None and not place.own), None)
    return "" if given is None else f"{description(given)} All notebooks use it."


@contextmanager
def places(jobs: int, trials: Stack, *, with_pair: bool) -> Iterator[list[Place]]:
    """One Place for each parallel notebook, on the pair that is up, if any, else each with a pair of its own.

    On a pair where trials cannot have databases of their own, only one notebook runs at a time, because they would
    share them.
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

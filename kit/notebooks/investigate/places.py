"""The resources of a running notebook: a pair of servers, and the parents of its trials, lent to its kernel.

A kernel that asks for neither causes neither to be started (`kit.pair.lending`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from kit.errors import PairError
from kit.notebooks.investigate import servers, sessions
from kit.pair.lending import ADDRESS_VARIABLE, PAIR, PARENTS, Lender
from kit.trials import fork_server
from kit.trials.runner import usable_cpus
from kit.trials.workspace import base_environ

if TYPE_CHECKING:
    from kit.pair import Pair
    from kit.pair.run import Supervisor
    from kit.trials.fork_server import AnyParent
    from kit.trials.stacks import Stack

_STARTING = PairError(
    "the pair's servers had not started yet", remedy="raise the limit, or leave a pair up (kit up) before the run"
)


class Place:
    """The resources for one notebook at a time, on a pair that is already up (`given`), one of its own, or none.

    A pair of its own is started when a kernel asks for it, and so are the parents of trials. The kernel's requests are
    answered in another thread.
    """

    def __init__(self, trials: Stack, *, given: Pair | None = None, own: bool = False) -> None:
        self.given, self.own, self._python = given, own, str(trials.python)
        self._opened = ExitStack()
        self._pair: Pair | None = given
        self.told: list[Mapping[str, str]] = [] if given is None else [given.environ()]
        """The variables of each pair that was lent, the present one's last. They contain passwords."""
        self._starting: list[Supervisor] = []
        self._closed = False
        self._parents: list[AnyParent] = []
        self._positions: Mapping[str, int] | None = None
        lends = {PAIR: self._lend_pair, PARENTS: self._lend_parents}
        self._lender = Lender(lends) if own or given is not None else None

    def make_ready(self) -> None:
        """Prepare for the next notebook. Raises PairError if the given pair does not work."""
        self._positions = None
        if self.given is not None:
            if (found := servers.trouble(self.given)) is not None:
                raise found
            self._positions = servers.positions(self.given)

    def environ(self) -> dict[str, str]:
        """The variables with which a kernel finds these resources."""
        lender = {} if self._lender is None else {ADDRESS_VARIABLE: self._lender.address}
        return lender if self.given is None else {**self.given.environ(), **lender}

    def inspect(self, *, failed: bool) -> tuple[list[str], PairError | None]:
        """Return the sessions that a notebook left open, and the fault of a server, if any.

        For a notebook that did not get a pair there is nothing to inspect.
        """
        if self._starting:
            return [], _STARTING
        if self._pair is None or self._positions is None:
            return [], None
        if (found := servers.trouble(self._pair)) is not None:
            return [], found
        try:
            left = sessions.left_open(self._pair)
        except PairError as error:
            return [], error
        return left, servers.in_logs(self._pair, self._positions) if failed else None

    def close(self) -> None:
        """Return the parents, and take down the pair if it is this object's own, even while it starts."""
        self._closed = True
        for supervisor in tuple(self._starting):
            supervisor.abandon()
        if self._lender is not None:
            self._lender.close()
        for parent in self._parents:
            fork_server.give_back(parent)
        self._opened.close()

    def _lend_pair(self) -> dict[str, str]:
        """The variables of a pair that works: the given one, or one of this object's own; a failing one is replaced."""
        if self.own and self._positions is None and (self._pair is None or servers.trouble(self._pair) is not None):
            self._fill()  # parents import their libraries while the servers start
            self._pair = self._new_pair()
        assert self._pair is not None
        if self._positions is None:
            self._positions = servers.positions(self._pair)
        return self._pair.environ()

    def _new_pair(self) -> Pair:
        from kit.pair.embedded import open_embedded

        self._pair = None
        self._opened.close()
        try:
            pair = self._opened.enter_context(open_embedded(begun=self._begun))
            self.told.append(pair.environ())
            return pair
        except Exception as error:
            if self._closed:  # whatever it was that failed when its servers ended
                raise PairError("the run has ended", remedy="run it again") from error
            raise
        finally:
            self._starting.clear()

    def _begun(self, supervisor: Supervisor) -> None:
        self._starting.append(supervisor)
        if self._closed:
            raise PairError("the run has ended", remedy="run it again")

    def _lend_parents(self) -> str:
        self._fill()
        return fork_server.lend(self._parents)

    def _fill(self) -> None:
        self._parents = [parent for parent in self._parents if parent.alive()]
        while len(self._parents) < usable_cpus():
            self._parents.append(fork_server.take(self._python, base_environ(self._python)))


def describe_places(places: Sequence[Place]) -> str:
    """A line on the shared pair that the notebooks of a run use; "" if each has its own."""
    from kit.pair import description

    given = next((place.given for place in places if place.given is not None), None)
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

    if "KIT_PRODUCTION_URL" in os.environ or ADDRESS_VARIABLE in os.environ or status() is not None:
        return closing.enter_context(open_pair())
    return None

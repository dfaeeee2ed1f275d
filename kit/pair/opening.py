"""Choose the pair: the one that the environment names or that is lent, else the one that is up, else a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kit.errors import PairError
from kit.pair.model import Kind, Pair


@contextmanager
def open_pair(
    kind: Kind | None = None,
    *,
    ports: tuple[int, int] | None = None,
    urls: tuple[str, str] | None = None,
    writable: bool = False,
) -> Iterator[Pair]:
    """A live pair: the one that the environment names, else the one that is up, else a new embedded one.

    The environment names it by KIT_PRODUCTION_URL and KIT_TEST_URL, or `kit investigate` lends one, which the first
    request starts; `kit up` leaves one running; a new one is taken down at the end.

    With a `kind`, `ports` (production's, test's) or `urls`, only those are used. `writable` applies to `urls`: without
    it the kit never writes to those servers. Raises PairError when no pair can be opened.
    """
    if kind is None and ports is None and urls is None:
        found = pair_in_use()
        if found is not None:
            yield found
            return
    if kind == "external" or urls is not None:
        from kit.pair.external import open_external

        if urls is None:
            raise PairError("an external pair was requested without its URLs", remedy="give both servers' URLs")
        yield open_external(*urls, writable=writable)
        return
    if kind == "compose":
        from kit.pair.compose import open_compose

        with open_compose(ports) as pair:
            yield pair
        return
    from kit.pair.embedded import open_embedded

    with open_embedded(ports) as pair:
        yield pair


def pair_in_use() -> Pair | None:
    """The pair that the environment names, else the one that `kit up` left running, else None."""
    from kit.pair.external import pair_from_environment
    from kit.pair.lending import lent_variables
    from kit.pair.running import status

    return pair_from_environment() or pair_from_environment(lent_variables()) or status()

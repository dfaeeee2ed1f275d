"""Which pair is used: the one that the environment names, else the one that was left running, else one of one's own."""

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
    """A live pair: the one that KIT_PRODUCTION_URL and KIT_TEST_URL name, else the one that `kit up` left running,
    else an embedded one, taken down at the end.

    A `kind`, `ports` (production's, test's) or `urls` ask for a pair of one's own instead. `writable` concerns `urls`
    only: those servers are never written to without it. Raises PairError when there is no pair to be had.
    """
    if kind is None and ports is None and urls is None:
        found = _pair_that_is_up()
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


def _pair_that_is_up() -> Pair | None:
    from kit.pair.external import pair_from_environment
    from kit.pair.running import status

    return pair_from_environment() or status()

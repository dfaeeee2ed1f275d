"""Servers that answer and yet cannot be used."""

from __future__ import annotations

import pytest

from kit.errors import PairError
from kit.pair.connect import connect, identify
from kit.pair.embedded import open_embedded


def test_a_server_that_does_not_tell_who_it_is_is_an_error() -> None:
    """Without the right to ask, the error names the server and what every role is wanted to be allowed."""
    with open_embedded() as pair:
        with connect((pair.test.admin or "").removesuffix("postgres") + pair.test.database) as connection:
            connection.execute("revoke execute on function pg_control_system() from public")
        with pytest.raises(PairError, match=r"testdb does not tell who it is: permission denied .*pg_control_system"):
            identify(pair.test.url())

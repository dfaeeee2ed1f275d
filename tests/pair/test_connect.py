"""Connections of the kit's own: what is said when there is none, and passwords that no statement holds."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import subprocess
import sys
from pathlib import Path

import pytest

from kit.pair.connect import new_password, scram_verifier, unreachable

URL = "postgresql://somebody:secret@127.0.0.1:5433/testdb"


@pytest.mark.parametrize(
    ("said", "found", "remedy"),
    [
        ('FATAL:  password authentication failed for user "somebody"', "refused the password of somebody", "password"),
        ("connection timeout expired", "127.0.0.1:5433/testdb cannot be reached", "loopback"),
        ("connection failed: Network is unreachable", "cannot be reached", "ip link show lo"),
        ("connection failed: Connection refused", "nothing listens on 127.0.0.1:5433/testdb", "kit up"),
        ('FATAL:  database "testdb" does not exist', 'database "testdb" does not exist', ""),
    ],
)
def test_a_server_that_lets_nobody_in_is_named(said: str, found: str, remedy: str) -> None:
    """Host, port and database are named with what went wrong and what to do, and the password never."""
    error = unreachable(URL, f"{said} ({URL})")
    assert found in error.found
    assert remedy in error.remedy
    assert "secret" not in str(error)


def test_a_missing_driver_is_an_error_with_its_remedy() -> None:
    """Where only the base is installed, the error says which extra brings the driver."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from kit.errors import PairError\n"
        "from kit.pair.connect import connect\n"
        "try:\n    connect('postgresql://u:p@127.0.0.1/db')\n"
        "except PairError as error:\n    print(error.remedy)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout == "pip install 'fastapi-database-isolation-kit[notebooks]'\n"


def test_passwords_are_long_and_new_every_time() -> None:
    """A password has 192 random bits in characters that no URL needs to quote."""
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password) == 48 and password.isalnum() for password in passwords)


def test_a_verifier_holds_what_its_password_proves() -> None:
    """The verifier has the stored key of RFC 5802 for its own salt and rounds, and another one each time."""
    verifier = scram_verifier("pencil")
    rounds_and_salt, keys = verifier.removeprefix("SCRAM-SHA-256$").split("$")
    rounds, salt = rounds_and_salt.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode(salt), int(rounds))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert base64.b64decode(keys.split(":")[0]) == hashlib.sha256(client_key).digest()
    assert int(rounds) >= 4096
    assert "pencil" not in verifier
    assert scram_verifier("pencil") != verifier


def test_the_kit_connects_in_two_places() -> None:
    """Whatever connects by itself would be changed by the user's variables of libpq: these two put them aside."""
    kit = Path(__file__).parents[2] / "kit"
    own = [path for path in kit.rglob("*.py") if path.relative_to(kit).parts[0] not in ("probes", "specimens")]
    found = [path for path in own if connects(path.read_text("utf-8"))]
    assert sorted(found) == [kit / "diagnosing" / "outside" / "clients.py", kit / "pair" / "connect.py"]
    assert [path for path in found if "with without_libpq_variables():" not in path.read_text("utf-8")] == []


def connects(source: str) -> bool:
    """Tell whether a driver's `connect` is called; what stands in a text, such as an example, is no call."""
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(ast.unparse(called) in ("psycopg.connect", "asyncpg.connect") for called in calls)

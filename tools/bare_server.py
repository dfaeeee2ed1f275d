"""A temporary Postgres server on loopback, without a password and without data, removed at the end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

from kit.pair import binaries, places

READY_S = 60.0


@contextmanager
def bare_server(user: str, port: int = 0, **more: str | int) -> Iterator[int]:
    """Start a server with a superuser `user` and yield its port; 0 selects a free one. `more` are its settings."""
    account = places.account()
    programs = binaries.find(account)
    identity = account.as_popen() if account is not None else {}
    with tempfile.TemporaryDirectory(prefix="bare-server-") as name:
        if account is not None:
            os.chown(name, account.uid, account.gid)
        data, environ = f"{name}/data", binaries.server_environment()
        initdb = [programs.initdb, "-D", data, "-U", user, "-A", "trust", "-N", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, capture_output=True, cwd="/", env=environ, **identity)
        port = port or _free_port()
        settings = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": name, "fsync": "off",
            "dynamic_shared_memory_type": "mmap",  # a killed server leaves its segments in /dev/shm
            **more,
        }  # fmt: skip
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        server = subprocess.Popen(
            [programs.postgres, "-D", data, *options], cwd="/", env=environ, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **identity,
        )  # fmt: skip
        try:
            _wait_for(f"postgresql://{user}@127.0.0.1:{port}/postgres", server)
            yield port
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers. SystemExit if it exits, the driver's error if it does not answer."""
    import psycopg

    deadline = time.monotonic() + READY_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None:
                raise SystemExit(f"the server did not start on {url}: is the port taken?") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)

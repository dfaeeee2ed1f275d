"""Settings of both servers, embedded or in containers: logging and durability."""

from __future__ import annotations

import sys

from kit.pair.model import SideName

# Fields of a log line, separated by tabs. The server removes control characters from application names, and
# continuation lines of a message begin with a tab, so a line that begins with a time begins an entry.
LOG_PREFIX = "%m\t%p\t%a\t%u\t%d\t"

LOGGING = {
    "log_line_prefix": LOG_PREFIX,
    "log_timezone": "UTC",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_statement": "all",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_error_verbosity": "default",
    "log_min_messages": "warning",
    "log_min_error_statement": "error",
}

# The data need not survive a crash of the machine, so nothing has to reach a disk. Commits are still written before
# they are answered (synchronous_commit), because a server that restarts after a killed backend must have them all.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}

# In the data directory, which is removed with the server: containers keep /dev/shm small, and what a killed server
# leaves there stays forever.
NOT_IN_SHM = {"dynamic_shared_memory_type": "mmap"}

CLIENT_CHECK = {"client_connection_check_interval": "500ms"}


def cluster_name(side: SideName, run: str) -> str:
    """The name by which a server tells its side and its run; no client can change it."""
    return f"kit-{side}-{run}"


def embedded_settings(side: SideName, run: str, port: int, version: tuple[int, int]) -> dict[str, str]:
    """The settings of a server that the kit starts itself."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "cluster_name": cluster_name(side, run),
        **NOT_IN_SHM,
        "shared_buffers": "32MB",
        "max_wal_size": "64MB",
        "min_wal_size": "32MB",
        "logging_collector": "off",
        "log_destination": "stderr",
        **LOGGING,
        **FORGETFUL,
    }
    if version[0] >= 15 or sys.platform == "linux":  # before 15, only Linux detected a client that had gone
        settings |= CLIENT_CHECK
    return settings


def as_arguments(settings: dict[str, str]) -> list[str]:
    """The settings as command line arguments of the server program."""
    return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

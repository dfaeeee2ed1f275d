"""Keep the contents of databases before the first run, restore them between runs, and compare what tests leave.

The keeper listens on a unix socket for messages of the runs (`kit.probes.outside`). It reads and writes a database only
if the command's allow-list permits it, which is checked on each of its own connections once it is open.
"""

from __future__ import annotations

import json
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kit.diagnosing.order.model import FILES, FRESH, ROWS
from kit.diagnosing.outside.clients import Client
from kit.diagnosing.outside.contents import Contents, Left, differences
from kit.diagnosing.outside.files import Files
from kit.diagnosing.outside.made import MadeByRuns
from kit.diagnosing.outside.postgres import Postgres, Server, word_of
from kit.diagnosing.outside.sqlite import SqliteFile
from kit.diagnosing.outside.store import CannotBeAsked, Store
from kit.probes.allow import AllowList
from kit.probes.redact import redact
from kit.probes.sealed import Seal
from kit.probes.stable import stable

SOCKET = "outside"
_LENGTH_AT_MOST = 100  # of a socket's path, which the system limits
_NO_LIST = "without an allow-list the kit restores no database (--allow DB)"


@dataclass
class _ReachedDatabase:
    """A database that a run has reached. `first` is its contents before, `left` what the first run left in it."""

    name: str
    store: Store
    first: Contents | None = None
    left: Contents | None = None
    mark: str = ""  # distinguishes it from another database of the same name, created before or after


@dataclass
class Keeper:
    """`folder` is the kit's own, `place` the command's. On exit the state after the first run is restored.

    Only roles and databases that runs have made are not made again: with each other run they are there anew.
    """

    folder: Path
    place: Path
    allow: AllowList
    seal: Seal
    not_looked_at: dict[str, str] = field(default_factory=dict)  # a database -> why

    def __enter__(self) -> Keeper:
        self._known: dict[str, _ReachedDatabase] = {}
        self._files = Files(self.place)
        self._before: dict[str, Contents] = {}
        self._fresh: set[str] = set()
        self._made_by_runs = MadeByRuns(self._cannot_drop)
        self._looks = self._changed = False
        self._serves = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._folder_of_socket = self.folder
        if len(str(self.folder / SOCKET)) > _LENGTH_AT_MOST:
            self._folder_of_socket = Path(tempfile.mkdtemp(prefix="kit-tmp-", dir="/tmp"))
        self._socket.bind(self.address)
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve, name="kit-outside", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()
        if self._folder_of_socket != self.folder:
            shutil.rmtree(self._folder_of_socket, ignore_errors=True)
        if self._changed:
            self._restore_all(lambda known: known.left)
            self._made_by_runs.drop_all()
            self._files.restore_all(self._files.left)

    @property
    def address(self) -> str:
        """The path of the socket."""
        return str(self._folder_of_socket / SOCKET)

    @property
    def databases(self) -> list[str]:
        """The names of databases that are compared and restored between runs."""
        with self._serves:
            return [known.name for known in self._known.values()]

    @property
    def made_by_runs(self) -> list[str]:
        """The roles and databases that runs have made on servers, which are dropped between runs."""
        with self._serves:
            return self._made_by_runs.all_places()

    def end_first_run(self) -> None:
        """Keep what the first run has left, to restore it at the end."""
        with self._serves:
            for known in self._known.values():
                known.left = self._read_contents(known)
            self._files.end_first_run()

    def restore_before_run(self) -> None:
        """Restore each database and file to its state before the first run."""
        with self._serves:
            self._looks, self._changed = False, True
            self._restore_all(lambda known: known.first)
            self._made_by_runs.drop_all()
            self._files.restore_all(self._files.first)

    def _restore_all(self, then: Callable[[_ReachedDatabase], Contents | None]) -> None:
        for known in self._known.values():
            contents = then(known)
            if contents is not None:
                self._put_back(known, contents, None, "between runs")

    def _cannot_drop(self, place: str, why: str) -> None:
        self.not_looked_at[place] = f"it could not be dropped ({redact(why)})"

    def _put_back(
        self, known: _ReachedDatabase, contents: Contents, labels: Collection[str] | None, when: str
    ) -> None:
        """Restore a database. If that fails, the answer names it, and the run ends as if nothing had been restored."""
        try:
            known.store.put_back(contents, labels)
        except CannotBeAsked as error:
            if f'database "{known.name}" does not exist' not in str(error):
                self.not_looked_at[known.name] = f"it could not be restored {when} ({redact(str(error))})"

    # --- messages of the runs -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            try:
                asking, _ = self._socket.accept()
            except OSError:  # it was closed
                return
            with asking, suppress(OSError, ValueError):
                asking.settimeout(5)
                message = json.loads(self.seal.opened(_line(asking)))
                with self._serves:
                    answer = self._answer(message)
                asking.sendall((self.seal.sealed(json.dumps(answer)) + "\n").encode())

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        asked = message["do"]
        if asked == "reached":
            self._reached(message)
            return {}
        if asked == "creates":
            self._creates(str(message["key"]), str(message["kind"]), str(message["name"]))
            return {}
        if asked == "touched":
            self._files.touched(Path(message["path"]))
            return {}
        now = {key: SqliteFile(self._of_memory(key, content)) for key, content in message["memories"].items()}
        if asked == "begins":
            self._looks, self._fresh = True, set()
            self._before = dict(self._read_all(now))
            self._files.begins()
            self._made_by_runs.begins()
            return {}
        if asked == "adopts":
            for key, found in self._read_all(now):
                self._before[key] = self._before.get(key, Contents()).with_new_of(found)
            self._made_by_runs.begins()
            return {}
        self._looks = False
        return self._ended(now, message["put_back"], message["keep"])

    def _reached(self, told: Mapping[str, Any]) -> None:
        key, known = self._key_of(told), None
        known = self._known.get(key)
        if known is None:
            known = self._made(told)
            if known is None:
                return
            known.first = self._read_contents(known)
            if known.first is None:
                return
            self._known[key] = known
        mark = self._mark_of(known)
        if self._looks and (key not in self._before or mark != known.mark):
            self._fresh.add(key)
            self._before[key] = self._read_contents(known) or Contents()
        known.mark = mark

    def _creates(self, key: str, kind: str, name: str) -> None:
        """A run is about to create a role or database; a database only counts if the allow-list permits it by name."""
        known = self._known.get(key)
        if known is None or not isinstance(known.store, Postgres):
            return
        if kind == "database" and not self._is_allowed_beside(known.store, name):
            self.not_looked_at[f"database {stable(name)}"] = "it is not on the allow-list"
            return
        self._made_by_runs.creates(key, known.store, kind, name)

    def _is_allowed_beside(self, store: Postgres, name: str) -> bool:
        """Whether the allow-list permits a database of this name on the server of another one."""
        try:
            word = {**store.word(), "database": name}
        except CannotBeAsked:
            return False
        return self.allow.allows_server(replace(store.server, database=name).url, word)

    def _key_of(self, told: Mapping[str, Any]) -> str:
        return str(told["path"] if told["kind"] == "sqlite" else told["key"])

    def _made(self, told: Mapping[str, Any]) -> _ReachedDatabase | None:
        if told["kind"] == "sqlite":
            path = Path(told["path"])
            name = str(path.relative_to(self.place)) if path.is_relative_to(self.place) else str(path)
            return self._if_allowed(name, self.allow.allows_file(str(path)), SqliteFile(path))
        if told["kind"] == "other":
            self.not_looked_at[str(told["driver"])] = "the kit cannot compare the databases of this driver"
            return None
        server = Server(**told["place"])
        allowed = self.allow.allows_server(server.url, told["word"])
        return self._if_allowed(server.database, allowed, Postgres(server, self._check(server)))

    def _if_allowed(self, name: str, is_allowed: bool, store: Store) -> _ReachedDatabase | None:
        if self.allow.entries and not self.allow.unrestricted_entries() and is_allowed:
            return _ReachedDatabase(name, store)
        self.not_looked_at[name] = "it is not on the allow-list" if self.allow.entries else _NO_LIST
        return None

    def _check(self, server: Server) -> Callable[[Client], None]:
        """A function that checks the identity of the answering server against the allow-list."""

        def check(client: Client) -> None:
            word = word_of(client)
            if not word or not self.allow.allows_server(server.url, word):
                raise CannotBeAsked("the server that answers there is not on the allow-list")

        return check

    def _read_contents(self, known: _ReachedDatabase) -> Contents | None:
        try:
            return known.store.look()
        except CannotBeAsked as error:
            if "does not exist" not in str(error):
                self.not_looked_at[known.name] = redact(str(error))
            return None

    def _mark_of(self, known: _ReachedDatabase) -> str:
        return known.store.mark() if isinstance(known.store, Postgres) else ""

    def _of_memory(self, key: str, content: str) -> Path:
        path = self.folder / f"memory-{key.replace(':', '-')}"
        path.write_bytes(bytes.fromhex(content))
        return path

    def _read_all(self, memories: Mapping[str, SqliteFile]) -> list[tuple[str, Contents]]:
        found = [(key, self._read_contents(known)) for key, known in self._known.items()]
        held = [(key, contents) for key, contents in found if contents is not None]
        return [*held, *((key, store.look()) for key, store in memories.items())]

    def _ended(
        self, memories: Mapping[str, SqliteFile], put_back: Collection[str], keep: Collection[str]
    ) -> dict[str, Any]:
        """Report the differences and restore the requested ones; in-memory databases are restored by the run itself."""
        names = self._names(memories)
        found: list[dict[str, Any]] = []
        run: dict[str, Any] = {}
        for key, now in self._read_all(memories):
            before = self._before.get(key, Contents())
            lefts = list(differences(before, now))
            places = {left.label: f"{left.label} of {names[key]}" for left in lefts}
            found += [self._difference_message(key, left, places[left.label], names[key]) for left in lefts]
            labels = {
                label for label, place in places.items() if (place not in keep if keep else place in put_back)
            }  # fmt: skip
            if labels and key in memories:
                run[key] = [(sql, [_plain(value) for value in values]) for sql, values in
                            memories[key].steps(before, labels)]  # fmt: skip
            elif labels:
                self._put_back(self._known[key], before, labels, "within a run")
        found += self._of_files(put_back, keep)
        made = self._made_by_runs.places()
        self._made_by_runs.drop([place for place in made if (place not in keep if keep else place in put_back)])
        return {"differences": found, "run": run, "looked": sorted({*names.values()}), "made": made}

    def _of_files(self, put_back: Collection[str], keep: Collection[str]) -> list[dict[str, Any]]:
        lefts = list(self._files.differences())
        found = [{**self._difference_message(str(path), left, left.label, ""), "group": FILES} for path, left in lefts]
        places = {left.label for _, left in lefts}
        self._files.put_back({place for place in places if (place not in keep if keep else place in put_back)})
        return found

    def _difference_message(self, key: str, left: Left, place: str, database: str) -> dict[str, Any]:
        return {
            "place": place, "group": FRESH if key in self._fresh else ROWS, "holder": database, "label": left.label,
            "before": left.before, "after": left.after, "key": key, "name": left.name, "kind": left.kind,
            "can_go_back": left.can_go_back,
        }  # fmt: skip

    def _names(self, memories: Mapping[str, SqliteFile]) -> dict[str, str]:
        """The name of each database; with its server if two have the same name."""
        found = {key: stable(known.name) for key, known in self._known.items()}
        memory = "the database in memory"
        for number, key in enumerate(memories, 1):
            found[key] = memory if len(memories) == 1 else f"{memory} number {number}"
        for key, known in self._known.items():
            if list(found.values()).count(found[key]) > 1 and isinstance(known.store, Postgres):
                found[key] = f"{known.store.where}/{found[key]}"
        return found


def _line(asking: socket.socket) -> str:
    with asking.makefile("rb") as stream:
        return stream.readline().decode("ascii").strip()


def _plain(value: Any) -> Any:
    return {"bytes": value.hex()} if isinstance(value, bytes) else value

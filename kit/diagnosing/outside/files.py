"""The project's files that runs write to: their content before, restored byte by byte."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_IMODE, S_ISDIR, S_ISREG

from kit.diagnosing.outside.contents import Left

BYTES_AT_MOST = 8_000_000  # of one file that is kept
_ABSENT, _FOLDER, _FILE, _OTHER = "absent", "folder", "file", "other"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was at a path: nothing, a folder, a file with its content, or something else, which is not touched."""

    kind: str = _ABSENT
    data: bytes = b""
    mode: int = 0o644


def kept(path: Path) -> Kept:
    """What is at a path now; an unreadable file or one that is too large counts as something else."""
    try:
        found = path.lstat()
        if S_ISDIR(found.st_mode):
            return Kept(_FOLDER, mode=S_IMODE(found.st_mode))
        if not S_ISREG(found.st_mode) or found.st_size > BYTES_AT_MOST:
            return Kept(_OTHER)
        return Kept(_FILE, path.read_bytes(), S_IMODE(found.st_mode))
    except (FileNotFoundError, NotADirectoryError):
        return Kept()
    except OSError:
        return Kept(_OTHER)


@dataclass
class Files:
    """The paths in a folder that a run has written to, or was about to write to."""

    folder: Path
    first: dict[Path, Kept] = field(default_factory=dict)  # before the first run
    before: dict[Path, Kept] = field(default_factory=dict)  # at the start of the present comparison
    left: dict[Path, Kept] = field(default_factory=dict)  # after the first run

    def touched(self, path: Path) -> None:
        """Keep what is at a path to which a run is about to write, the first time only."""
        if path.is_relative_to(self.folder) and path not in self.first:
            self.first[path] = kept(path)
            self.before.setdefault(path, self.first[path])

    def begins(self) -> None:
        """Start a comparison: differences count from now on."""
        self.before = {path: kept(path) for path in self.first}

    def end_first_run(self) -> None:
        """Keep what the first run has left."""
        self.left = {path: kept(path) for path in self.first}

    def differences(self) -> Iterator[tuple[Path, Left]]:
        """Yield what differs since the comparison started."""
        for path, then in self.before.items():
            now = kept(path)
            if (now.kind, now.data) != (then.kind, then.data):
                name = str(path.relative_to(self.folder))
                can_go_back = _OTHER not in (then.kind, now.kind)
                kind = "folder" if _FOLDER in (then.kind, now.kind) else "file"
                yield path, Left(kind, name, _describe_content(then), _describe_content(now), can_go_back)

    def put_back(self, labels: Collection[str]) -> None:
        """Restore the paths with these labels."""
        chosen = {path: self.before[path] for path, left in self.differences() if left.label in labels}
        _write(chosen)

    def restore_all(self, then: Mapping[Path, Kept]) -> None:
        """Restore everything to this state."""
        _write({path: was for path, was in then.items() if kept(path) != was})


def _write(wanted: Mapping[Path, Kept]) -> None:
    """Write folders from the outermost on, and remove from the innermost on."""
    for path in sorted(wanted):
        _quietly(_make, path, wanted[path])
    for path in sorted(wanted, reverse=True):
        if wanted[path].kind == _ABSENT:
            _quietly(_remove, path, wanted[path])


def _quietly(do: Callable[[Path, Kept], None], path: Path, was: Kept) -> None:
    """Ignore errors: without the restoration the run ends as it would anyway, and nothing is concluded from it."""
    try:
        if not _leads_elsewhere(path):
            do(path, was)
    except OSError:
        return


def _leads_elsewhere(path: Path) -> bool:
    """Whether a run left a link at the path or in place of a parent folder, so that a write would go elsewhere."""
    return path.is_symlink() or path.parent.resolve() != path.parent


def _make(path: Path, was: Kept) -> None:
    if was.kind == _FOLDER and not path.exists():
        path.mkdir(mode=was.mode)
    elif was.kind == _FILE:
        path.write_bytes(was.data)
        path.chmod(was.mode)


def _remove(path: Path, was: Kept) -> None:
    now = kept(path).kind
    if now == _FILE:
        path.unlink()
    elif now == _FOLDER:
        path.rmdir()  # fails when somebody else has put something into it


def _describe_content(what: Kept) -> str:
    if what.kind == _FILE:
        return "1 byte" if len(what.data) == 1 else f"{len(what.data)} bytes"
    return {_ABSENT: "", _FOLDER: "there"}.get(what.kind, "neither a file nor a folder")



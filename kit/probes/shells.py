"""The programs that a command starts: through shell code, a script, or a program that starts another.

Shell code is parsed only in part: known variables are expanded, and unknown ones keep their `$`.
"""

from __future__ import annotations

from shlex import shlex
from typing import Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .own import os, re
from .own import own_builtins as __builtins__  # noqa: F401

SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh"})


class Starter(NamedTuple):
    """A program that starts another: its options that take a value, and its arguments before the other's name."""

    valued: FrozenSet[str] = frozenset()
    before: int = 0
    text: FrozenSet[str] = frozenset()  # options whose value is shell code
    subcommands: FrozenSet[str] = frozenset()  # one of these is required
    tells: FrozenSet[str] = frozenset()  # options that only print where the other program is
    elsewhere: bool = False  # runs it where names and files of this machine do not apply


def _options(text: str) -> FrozenSet[str]:
    return frozenset(text.split())


_CONTAINER = Starter(
    _options(
        "-e --env --env-file -u --user -w --workdir -v --volume -p --publish --name --network --net --entrypoint -h "
        "--hostname -l --label --mount --platform --add-host --link --index --detach-keys -c --container -n "
        "--namespace -f --file --project-name --profile --context --pull --restart -m --memory --cpus --image"
    ),
    before=1, subcommands=frozenset({"exec", "run"}), elsewhere=True,
)
STARTERS: Dict[str, Starter] = {
    "env": Starter(_options("-u --unset -C --chdir"), text=_options("-S --split-string")),
    "sudo": Starter(_options("-u --user -g --group -p -C -h --host -r -t -T -U -D --chdir -R")),
    "doas": Starter(_options("-u -C")),
    "su": Starter(_options("-g -G -s -w"), before=1, text=_options("-c --command")),
    "runuser": Starter(_options("-u --user -g -G -s"), text=_options("-c --command")),
    "command": Starter(tells=_options("-v -V")),
    "gosu": Starter(before=1),
    "timeout": Starter(_options("-k --kill-after -s --signal"), before=1),
    "flock": Starter(_options("-w --timeout -E"), before=1, text=_options("-c --command")),
    "nice": Starter(_options("-n --adjustment")),
    "ionice": Starter(_options("-c -n -p")),
    "time": Starter(_options("-f -o")),
    "stdbuf": Starter(_options("-i -o -e")),
    "strace": Starter(_options("-e -o -p -s")),
    "find": Starter(subcommands=frozenset({"-exec", "-execdir", "-ok", "-okdir"})),
    "npx": Starter(_options("-p --package")),
    "direnv": Starter(before=1, subcommands=frozenset({"exec"})),
    **{name: Starter(subcommands=frozenset({"run"})) for name in ("uv", "poetry", "pdm", "pipenv", "rye", "dotenv")},
    "xargs": Starter(_options("-n -I -P -d -a -L -s -E")),
    **{name: Starter() for name in ("nohup", "setsid", "exec", "unbuffer", "chronic", "tini", "busybox")},
    **{name: _CONTAINER for name in ("docker", "docker-compose", "podman", "podman-compose", "nerdctl")},
    **{name: _CONTAINER for name in ("kubectl", "oc")},
    "lxc": Starter(before=1, subcommands=frozenset({"exec"}), elsewhere=True),
    "ssh": Starter(_options("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w"), before=1, elsewhere=True),
}
_NOT_READ = "comes after a file that the shell reads, and that the kit cannot"
_NOT_KNOWN = "$"  # stands for arguments that are read from standard input

_PUNCTUATION = "();<>&|\n"
_KEYWORDS = frozenset({"if", "then", "else", "elif", "while", "until", "do", "!", "{", "}", "exec", "time"})
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?::?-([^}$]*))?\})")
_COMMENT = re.compile(r"(?m)(^|[ \t;])#[^\n]*$")
_HERE = re.compile(r"<<-?[ \t]*(['\"\\]?)(\w+)['\"]?([^\n]*)\n.*?(?:^[ \t]*\2[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_INNER = re.compile(r"\$\(([^()]*)\)|`([^`]*)`")
_BYTES_AT_MOST = 256 * 1024  # of a script
_DEEP_AT_MOST = 6  # scripts that start scripts


class Command(NamedTuple):
    """A program that would be started, with its arguments, variables and working directory.

    `elsewhere` names the program that would start it in another environment (container, ssh), else "".
    """

    words: Tuple[str, ...]
    environ: Mapping[str, str]
    folder: str
    elsewhere: str = ""

    @property
    def name(self) -> str:
        return os.path.basename(self.words[0])


class Unreadable(NamedTuple):
    """Shell code that is not understood, and why not."""

    text: str
    why: str = "cannot be parsed"


def commands(
    words: Sequence[str], environ: Mapping[str, str], folder: str, known: FrozenSet[str] = frozenset(), depth: int = 0,
) -> Iterator[object]:
    """Yield a `Command` for each program that a command leads to (itself if it starts no other), or an `Unreadable`.

    A program whose name is in `known` is not opened, even if it is a script that starts another.
    """
    if not words or depth > _DEEP_AT_MOST:
        return
    name = os.path.basename(words[0])
    if name in known:
        yield Command(tuple(words), environ, folder)
        return
    if name in SHELLS:
        text = of_shell(words, folder)
        if text is not None:
            yield from _in_text(text, dict(environ), folder, known, depth + 1)
        return
    script = _shell_script(words[0], folder)
    if script is not None:
        yield from _in_text(script, dict(environ), folder, known, depth + 1)
        return
    if name in STARTERS:
        for found in _started_by(STARTERS[name], words, dict(environ), folder, known, depth + 1):
            if STARTERS[name].elsewhere and isinstance(found, Command):
                found = found._replace(elsewhere=name)
            yield found
        return
    yield Command(tuple(words), environ, folder)


def _started_by(
    starter: Starter, words: Sequence[str], environ: Dict[str, str], folder: str, known: FrozenSet[str], depth: int,
) -> Iterator[object]:
    """Yield what a starter runs: the words after its own options and arguments."""
    rest = list(words[1:])
    if starter.subcommands:
        while rest and rest[0] not in starter.subcommands:
            rest.pop(0)
        rest = rest[1:]
    before = starter.before
    while rest:
        word = rest[0]
        assigned = _ASSIGNED.fullmatch(word)
        if word in starter.text and len(rest) > 1:
            yield from _in_text(rest[1], environ, folder, known, depth)
            return
        if word in starter.tells:
            return
        if word in starter.valued:
            rest = rest[2:]
        elif word in ("-i", "--ignore-environment", "-") and words[0].endswith("env"):
            environ, rest = {}, rest[1:]
        elif word[:1] == "-":
            rest = rest[1:]
        elif assigned:
            environ[assigned.group(1)] = assigned.group(2)
            rest = rest[1:]
        elif before:
            before, rest = before - 1, rest[1:]
        else:
            break
    if words[0].endswith("ssh"):
        yield from _in_text(" ".join(rest), environ, folder, known, depth)
    elif rest:
        yield from commands([*rest, _NOT_KNOWN] if words[0].endswith("xargs") else rest, environ, folder, known, depth)


def of_shell(words: Sequence[str], folder: str) -> Optional[str]:
    """Return the code that a shell runs: the value of -c, or its script; None without one."""
    rest, is_text = list(words[1:]), False
    while rest:
        word = rest.pop(0)
        if word[:1] in "-+" and word[:2] != "--":
            is_text = is_text or "c" in word
            rest = rest[1:] if word.endswith(("o", "O")) else rest
        elif word[:2] != "--":
            return word if is_text else read(os.path.join(folder, word))
    return None


def _shell_script(program: str, folder: str) -> Optional[str]:
    if os.sep not in program:
        return None
    text = read(os.path.join(folder, program), beginning=b"#!")
    first = (text or "").partition("\n")[0]
    return text if SHELLS & set(re.split(r"[\s/]+", first)) else None


def read(path: str, beginning: bytes = b"") -> Optional[str]:
    """Read the beginning of a text file; None if it is missing, binary, or does not start with `beginning`."""
    try:
        with open(path, "rb") as file:
            found = file.read(len(beginning))
            if found != beginning:
                return None
            found += file.read(_BYTES_AT_MOST)
    except OSError:
        return None
    return None if b"\0" in found else found.decode("utf-8", "replace")


def _sourced(name: str, home: str, folder: str) -> Optional[str]:
    """Return what a shell reads into itself, nothing if it is missing; None if it is not known."""
    path = os.path.join(folder, home + name[1:] if name[:2] == "~/" else name)
    if set(path) & set("$`~"):
        return None
    return read(path) if os.path.exists(path) else ""


def _in_text(
    text: str, variables: Dict[str, str], folder: str, known: FrozenSet[str], depth: int,
) -> Iterator[object]:
    for inner in _INNER.finditer(text):
        yield from _in_text(inner.group(1) or inner.group(2) or "", dict(variables), folder, known, depth + 1)
    tokens = _tokens(text)
    if tokens is None:
        yield Unreadable(text)
        return
    parts = _split(tokens)
    for words in parts:
        while words and (words[0] in _KEYWORDS or words[0] == "export"):
            words = words[1:]
        words = [_put_in(word, variables) for word in words]
        own = dict(variables)
        while words and (assigned := _ASSIGNED.fullmatch(words[0])):
            own[assigned.group(1)] = assigned.group(2)
            words = words[1:]
        if not words:
            variables.update(own)
        elif words[0] == "unset":
            for name in words[1:]:
                variables.pop(name, None)
        elif words[0] == "eval":
            yield from _in_text(" ".join(words[1:]), own, folder, known, depth + 1)
        elif words[0] == "cd" and len(words) == 2:
            folder = os.path.join(folder, words[1])
        elif words[0] in (".", "source") and len(words) > 1:
            found = _sourced(words[1], variables.get("HOME", "~"), folder)
            if found is None:
                yield Unreadable("\n".join(" ".join(part) for part in parts), _NOT_READ)
                return
            yield from _in_text(found, variables, folder, known, depth + 1)
        else:
            yield from commands(words, own, folder, known, depth + 1)


def _tokens(text: str) -> Optional[List[str]]:
    text = _COMMENT.sub(r"\1", _HERE.sub(r"\3\n", text.replace("\\\n", " ")))
    reader = shlex(text, posix=True, punctuation_chars=_PUNCTUATION)
    reader.whitespace, reader.whitespace_split, reader.commenters = " \t\r", True, ""
    try:
        return list(reader)
    except ValueError:
        return None


def _split(tokens: Sequence[str]) -> Iterator[List[str]]:
    """Yield the words of each command, without redirections."""
    words: List[str] = []
    skip = False
    for token in tokens:
        if token and set(token) <= set(_PUNCTUATION):
            if "<" in token or ">" in token:
                skip = True
                if words and words[-1].isdigit():
                    words.pop()
            else:
                yield words
                words, skip = [], False
        elif skip:
            skip = False
        else:
            words.append(token)
    yield words


def _put_in(word: str, variables: Mapping[str, str]) -> str:
    def value(found: "re.Match[str]") -> str:
        name = found.group(1) or found.group(2)
        return variables.get(name) or (found.group(3) if found.group(3) is not None else found.group(0))

    return _VARIABLE.sub(value, word)

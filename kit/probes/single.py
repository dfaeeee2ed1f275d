"""Programs that start no other program: they cannot lead to a Python, so their environment is not changed.

A test that shows the environment it passed (`env`, `printenv`, `sh -c 'echo $HOME'`) then gets what it passed.
"""

from __future__ import annotations

from typing import Callable, FrozenSet, Mapping, Optional, Sequence

from .own import os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .shells import SHELLS, Command, commands, of_shell

_SINGLE: FrozenSet[str] = frozenset({
    "[", "base64", "basename", "cat", "chmod", "chown", "cksum", "cmp", "cp", "cut", "date", "df", "diff",
    "dirname", "du", "echo", "false", "grep", "head", "hostname", "id", "kill", "ln", "ls", "md5sum", "mkdir",
    "mktemp", "mv", "nproc", "od", "printenv", "printf", "ps", "pwd", "readlink", "realpath", "rm", "rmdir",
    "seq", "sha1sum", "sha256sum", "sleep", "stat", "tac", "tail", "tee", "test", "touch", "tr", "true", "tty",
    "uname", "uniq", "wc", "whoami", "yes",
})  # fmt: skip
_BUILTIN = frozenset({":", "exit", "read", "return", "set", "shift", "type", "ulimit", "umask", "wait"})
_RUNS_WHAT_IS_NOT_SHOWN = re.compile(r"(?m)(?:^|[\s;&|(`])(?:\.|source|eval|trap|alias|fc|hash|enable)(?:\s|$)")
_READ_FIRST = ("ENV", "BASH_ENV", "ZDOTDIR")  # variables that name a file for a shell to run first

Find = Callable[[str, Optional[str]], Optional[str]]  # program, PATH -> its file


def starts_no_other(program: str, words: Sequence[str], environ: Mapping[str, str], folder: str, find: Find) -> bool:
    """Return whether a command is known to start no other program; of a shell, whether its commands all are."""
    if os.path.basename(program) not in SHELLS:
        return _is_single((program, *words[1:]), environ, find)
    text = of_shell((program, *words[1:]), folder)
    if text is None or _RUNS_WHAT_IS_NOT_SHOWN.search(text) or any(name in environ for name in _READ_FIRST):
        return False
    found = list(commands((program, *words[1:]), environ, folder))
    return bool(found) and all(
        isinstance(one, Command) and (one.words[0] in _BUILTIN or _is_single(one.words, environ, find)) for one in found
    )


def _is_single(words: Sequence[str], environ: Mapping[str, str], find: Find) -> bool:
    name = os.path.basename(words[0])
    if name not in _SINGLE and not (name == "env" and all("=" in word for word in words[1:])):
        return False
    file = find(words[0], environ.get("PATH"))
    return file is not None and not _is_script(file)


def _is_script(file: str) -> bool:
    """Return whether a file is a script, which a test can put in place of a program; True for an unreadable file."""
    try:
        with open(file, "rb") as program:
            return program.read(2) == b"#!"
    except OSError:
        return True

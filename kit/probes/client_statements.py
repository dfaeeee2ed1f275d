"""The statements that a native client runs: the databases that they create, alter, drop or switch to.

They are parsed like those that a driver sends (`maintenance`), after the client's own variables and commands.
"""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Sequence, Tuple

from .maintenance import may_name, named_in
from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

_SET = re.compile(r"(?m)^[ \t]*\\set[ \t]+(\w+)[ \t]+'?([^'\n]*?)'?[ \t]*$")
_PUT_IN = re.compile(r"(?<![:\w]):(['\"]?)(\w+)\1")
_OWN_COMMAND = re.compile(r"(?m)^[ \t]*\\[a-zA-Z!?]+[^\n]*|\\g\w*")  # a psql command: it ends a statement
_NOT_KNOWN = ":"  # remains of a variable that is not set
_RUN_BY_MYSQL = re.compile(r"(?m)^[ \t]*(?:\\u[ \t]+|use[ \t]+)(\S+?);?[ \t]*$", re.IGNORECASE)


class NamedDatabases(NamedTuple):
    """The databases in a text of statements, or why some of them are unknown."""

    databases: Tuple[str, ...] = ()
    why_not: str = ""


def by_psql(text: str, variables: Mapping[str, str]) -> NamedDatabases:
    r"""Parse the argument of -c, or the file of -f; `variables` are those of -v, and `\set` in the text adds others."""
    known = {**variables, **dict(_SET.findall(text))}
    text = _PUT_IN.sub(lambda found: _quoted(found[1], known[found[2]]) if found[2] in known else found[0], text)
    runs_results = "\\gexec" in text
    if runs_results:  # \gexec runs the results, such as strings
        text = text.replace("'", ";")
    databases = tuple(dict.fromkeys(named.database for named in named_in(_OWN_COMMAND.sub(";", text))))
    if _NOT_KNOWN in databases or (runs_results and may_name(text) and not databases):
        return NamedDatabases(why_not="it creates, alters or drops a database whose name is known only when it runs")
    return NamedDatabases(databases)


def _quoted(mark: str, value: str) -> str:
    return f"{mark}{value}{mark}"


def by_mysql(texts: Sequence[str]) -> NamedDatabases:
    """Parse the arguments of -e for MySQL's client."""
    found: List[str] = []
    for text in texts:
        found += [named.database for named in named_in(text, "mysql")]
        found += [name.strip("`") for name in _RUN_BY_MYSQL.findall(text)]
    return NamedDatabases(tuple(dict.fromkeys(found)))

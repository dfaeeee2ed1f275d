"""Native clients (`psql`, `mysqldump`, `sqlite3` ...): the databases that their arguments and variables name.

Sources in the order of the programs themselves: arguments, then the service or options file, then variables, then
defaults. What cannot be determined from outside gives a reason (`why_not`), never a guess.
"""

from __future__ import annotations

from typing import Callable, Dict, FrozenSet, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, unquote, urlsplit

from .client_statements import by_mysql, by_psql
from .maintenance import TEMPLATES_OF_ALL
from .own import os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .shells import Command, Unreadable, commands, read

ANY = "*"  # the database name of a program that accesses all databases of a server


class Destination(NamedTuple):
    """The destination of a client: a server's database as a URL, or a file; or why it cannot be determined."""

    client: str
    url: str = ""
    file: Optional[str] = None
    why_not: str = ""


class _Words(NamedTuple):
    """The parsed arguments of a client: option values by long name or letter, and positional arguments."""

    options: Mapping[str, Sequence[str]]
    rest: Tuple[str, ...]

    def all_of(self, *names: str) -> Sequence[str]:
        return [value for name in names for value in self.options.get(name, ())]

    def last(self, *names: str) -> str:
        return (self.all_of(*names) or [""])[-1]

    def has(self, *names: str) -> bool:
        return any(name in self.options for name in names)


class _Postgres(NamedTuple):
    valued: str  # the letters of options that take a value
    names: str = "first"  # positional arguments: "first" is the database, "made" one to create or drop, "nothing"
    all_of: FrozenSet[str] = frozenset()  # options that select all databases
    always_all: bool = False


_POSTGRES: Dict[str, _Postgres] = {
    "psql": _Postgres("cdfFhLopPRTUv"),
    "pg_dump": _Postgres("dfFjEhnNpStTUZe"),
    "pg_restore": _Postgres("dfFIjLnNPpShTtU", "nothing", frozenset({"C", "create"})),
    "pg_dumpall": _Postgres("fhlpUdSE", "nothing", always_all=True),
    "createdb": _Postgres("DElOpThUS", "made"),
    "dropdb": _Postgres("hpU", "made"),
    "createuser": _Postgres("hpUcgmav", "nothing", always_all=True),
    "dropuser": _Postgres("hpU", "nothing", always_all=True),
    "vacuumdb": _Postgres("dhpUtjnNP", all_of=frozenset({"a", "all"})),
    "reindexdb": _Postgres("dhpUtjSi", all_of=frozenset({"a", "all"})),
    "clusterdb": _Postgres("dhpUt", all_of=frozenset({"a", "all"})),
    "pgbench": _Postgres("hpUcjTtfslRbPMDFiIdL"),
    "pg_basebackup": _Postgres("DFrtTXZclhpUdsS", "nothing", always_all=True),
    "pg_receivewal": _Postgres("DEZhpUdsS", "nothing", always_all=True),
    "pg_recvlogical": _Postgres("dhpUfFIEoPsS", "nothing"),
    "pg_amcheck": _Postgres("dhpUjirRsStTD", all_of=frozenset({"a", "all"})),
}
_VALUED = frozenset({
    "host", "port", "dbname", "username", "command", "file", "set", "variable", "output", "pset", "field-separator",
    "record-separator", "table-attr", "log-file", "format", "jobs", "schema", "exclude-schema", "table",
    "exclude-table", "exclude-table-data", "encoding", "superuser", "compress", "extension", "role", "section",
    "snapshot", "rows-per-insert", "lock-wait-timeout", "extra-float-digits", "filter", "tablespace", "locale",
    "lc-collate", "lc-ctype", "owner", "template", "maintenance-db", "strategy", "locale-provider", "icu-locale",
    "icu-rules", "index", "use-list", "function", "trigger", "pgdata", "wal-method", "checkpoint", "label",
    "database", "exclude-database", "connection-limit", "slot", "plugin", "user", "execute", "socket",
    "defaults-file", "defaults-extra-file", "defaults-group-suffix", "protocol", "default-character-set",
    "login-path", "result-file", "where", "ignore-table", "plugin-dir",
})  # fmt: skip
_OF_PLACES = ("host", "port", "dbname", "database", "username")  # getopt accepts unambiguous prefixes of these
_MYSQL: Dict[str, str] = {
    name: "hPuDeS" for name in (
        "mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mysqlshow", "mysqlslap", "mariadb",
        "mariadb-dump", "mariadb-admin", "mariadb-import", "mariadb-check", "mariadb-show",
    )
}  # fmt: skip
_HARMLESS_OF_ADMIN = frozenset({"ping", "status", "version", "variables", "extended-status"})
_FILES = {
    "sqlite3": frozenset({"-cmd", "-init", "-separator", "-newline", "-nullvalue", "-mmap", "-maxsize", "-vfs"}),
    "duckdb": frozenset({"-c", "-s", "-f", "-init", "-cmd", "-separator", "-newline", "-nullvalue"}),
}
_FILES["sqlcipher"] = _FILES["sqlite3"]
_UNSUPPORTED = frozenset({
    "sqlcmd", "bcp", "sqlplus", "sqlldr", "expdp", "impdp", "usql", "isql", "mysqlsh", "mysqlpump", "cockroach",
    "flyway", "liquibase", "dbmate", "sqitch", "pgloader", "prisma",
})  # fmt: skip
_INFORMATION_OPTIONS = frozenset({"--version", "-version", "version", "-v", "-V", "--help", "help", "-h", "-?", "/?"})
_WITHOUT_A_CONNECTION = frozenset({"help", "version", "?"})

CLIENTS = frozenset({*_POSTGRES, *_MYSQL, *_FILES, *_UNSUPPORTED})

_CONNECTS_ELSEWHERE = re.compile(r"(?m)(?:^|\s)\\c(?:onnect)?\b")
_INCLUDED = re.compile(r"(?m)^[ \t]*\\(i|ir|include|include_relative)[ \t]+(\S[^\n]*?)[ \t]*$")
_BY_A_SHELL = re.compile(r"(?m)\\!([^\n]*)")
_READ = re.compile(r"(?m)^[ \t]*\.read[ \t]+(\S[^\n]*?)[ \t]*$")
_TEXTS_AT_MOST = 50  # including files that files include
_PAIR = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")
_ATTACHED = re.compile(r"(?i)\battach\b(?:\s+database)?(?:\s+if\s+not\s+exists)?\s*(?:'((?:[^']|'')*)')?")
_OPENED = re.compile(r"(?m)^\s*\.(?:open|backup|save|restore|clone)\b(.*)$")
_MENTIONED = re.compile(r"(?:^|[\s;&|(/`])(" + "|".join(sorted(map(re.escape, CLIENTS), reverse=True)) + r")(?=\s|$)")


def destinations_of(
    words: Sequence[str], environ: Mapping[str, str], folder: str, is_there: Callable[[str, Mapping[str, str]], bool],
) -> Iterator[Destination]:
    """Yield the destinations of the clients that a command starts, without duplicates.

    `is_there(program, environ)` tells whether a program exists; a client that does not is left out.
    """
    yield from dict.fromkeys(_destinations(words, environ, folder, is_there))


def _destinations(
    words: Sequence[str], environ: Mapping[str, str], folder: str, is_there: Callable[[str, Mapping[str, str]], bool],
) -> Iterator[Destination]:
    for found in commands(words, environ, folder, CLIENTS):
        if isinstance(found, Unreadable):
            for name in sorted(set(_MENTIONED.findall(found.text))):
                yield Destination(name, why_not=f"it is started by a shell command that {found.why}")
        elif isinstance(found, Command) and found.name in CLIENTS:
            if found.elsewhere:
                why_not = f"{found.elsewhere} starts it in a container or on another machine"
                yield Destination(found.name, why_not=why_not)
            elif is_there(_program(found), found.environ):
                yield from _destinations_of(found)


def _program(command: Command) -> str:
    """Return a program's path, resolved against the command's folder, or its bare name to look up on PATH."""
    name = command.words[0]
    return os.path.join(command.folder, name) if os.path.dirname(name) else name


def _destinations_of(command: Command) -> Iterator[Destination]:
    name = command.name
    if name in _UNSUPPORTED:
        if command.words[1:] and set(command.words[1:]) <= _INFORMATION_OPTIONS:
            return
        yield Destination(name, why_not="the kit does not parse its options")
        return
    reader = _postgres if name in _POSTGRES else _mysql if name in _MYSQL else _file
    for asked in reader(command):
        unknown = asked.url or asked.file or ""
        why_not = f"the $ in {unknown} stands for a value that is known only when it runs"
        yield Destination(name, why_not=why_not) if "$" in unknown else asked


def _apart(words: Sequence[str], valued: str, attached: str = "") -> _Words:
    """Parse arguments as getopt does: options may follow positional arguments, and `--` ends them."""
    options: Dict[str, List[str]] = {}
    rest: List[str] = []
    given = list(words)
    while given:
        word = given.pop(0)
        if word == "--":
            rest += given
            break
        if word.startswith("--"):
            name, sign, value = word[2:].partition("=")
            name = next((whole for whole in _OF_PLACES if len(name) > 1 and whole.startswith(name)), name)
            options.setdefault(name, []).append(value if sign else given.pop(0) if name in _VALUED and given else "")
        elif word[:1] == "-" and len(word) > 1:
            for place, letter in enumerate(word[1:], 2):
                value = word[place:]
                if letter in attached:
                    break
                if letter in valued:
                    options.setdefault(letter, []).append(value or (given.pop(0) if given else ""))
                    break
                options.setdefault(letter, []).append("")
        else:
            rest.append(word)
    return _Words(options, tuple(rest))


# --- Postgres ---------------------------------------------------------------------------------------------------------

_VARIABLES = {
    "host": "PGHOST", "hostaddr": "PGHOSTADDR", "port": "PGPORT", "dbname": "PGDATABASE", "user": "PGUSER",
    "service": "PGSERVICE",
}  # fmt: skip


def _postgres(command: Command) -> Iterator[Destination]:
    client, environ = _POSTGRES[command.name], command.environ
    words = _apart(command.words[1:], client.valued)
    if words.has("V", *_WITHOUT_A_CONNECTION) or (client.names == "nothing" and _writes_a_script(command.name, words)):
        return
    given = {
        "host": words.last("h", "host"), "port": words.last("p", "port"), "user": words.last("U", "username"),
        "dbname": "" if command.name == "pgbench" and "d" in words.options else words.last("d", "dbname"),
    }
    made = words.rest[0] if client.names == "made" and words.rest else ""
    if client.names == "made":
        given["dbname"] = words.last("maintenance-db") or "postgres"
    elif client.names == "first" and words.rest and not given["dbname"]:
        given["dbname"] = words.rest[0]
    settings = _settings(given, environ)
    if settings is None:
        yield Destination(command.name, why_not="no pg_service.conf defines its service")
        return
    if command.name == "psql":
        yield from _run_by_psql(command, words, settings)
    if client.names == "made":
        settings["dbname"] = made or environ.get("PGDATABASE") or settings["user"]
        for template in words.all_of("T", "template"):
            if template not in TEMPLATES_OF_ALL:
                yield from _places(command.name, {**settings, "dbname": template})
    if client.always_all or words.has(*client.all_of):
        settings["dbname"] = ANY
    yield from _places(command.name, settings)


def _run_by_psql(command: Command, words: _Words, settings: Mapping[str, str]) -> Iterator[Destination]:
    """Yield what psql's own commands and files reach: other databases, other clients."""
    variables = dict(told.partition("=")[::2] for told in words.all_of("v", "set", "variable"))
    texts = [(text, "its command (-c)", command.folder) for text in words.all_of("c", "command")]
    texts += [_file_of_psql(file, command.folder) for file in words.all_of("f", "file")]
    for text, what, folder in texts:
        if _CONNECTS_ELSEWHERE.search(text):
            yield Destination(command.name, why_not=f"{what} switches to another database (\\connect)")
        for shell in _BY_A_SHELL.findall(text):
            if _MENTIONED.search(shell):
                yield Destination(command.name, why_not=f"{what} starts another client (\\!)")
        for how, file in _INCLUDED.findall(text):
            if len(texts) < _TEXTS_AT_MOST:
                texts.append(_file_of_psql(file.strip("'"), folder if how in _FROM_THERE else command.folder))
        told = by_psql(text, variables)
        if told.why_not:
            yield Destination(command.name, why_not=told.why_not)
        for database in told.databases:
            yield from _places(command.name, {**settings, "dbname": database})


_FROM_THERE = ("ir", "include_relative")


def _file_of_psql(file: str, folder: str) -> Tuple[str, str, str]:
    path = os.path.join(folder, file)
    return read(path) or "", f"its script {file}", os.path.dirname(path)


def _writes_a_script(name: str, words: _Words) -> bool:
    """Return whether pg_restore only writes a script, as it does without a database."""
    return name == "pg_restore" and not words.has("d", "dbname")


def _settings(given: Mapping[str, str], environ: Mapping[str, str]) -> Optional[Dict[str, str]]:
    """Merge settings with libpq's precedence: connection string, options, service, variables.

    None if a service is named that is not defined.
    """
    told = {name: value for name, value in given.items() if value}
    name = told.get("dbname", "")
    if "=" in name or name.startswith(("postgresql://", "postgres://")):
        del told["dbname"]
        told.update(conninfo(name))
    from_variables = {name: environ[variable] for name, variable in _VARIABLES.items() if environ.get(variable)}
    service = told.get("service") or from_variables.get("service")
    of_service = _service(service, environ) if service else {}
    if of_service is None:
        return None
    settings = {**from_variables, **of_service, **told}
    settings.setdefault("user", environ.get("USER") or environ.get("LOGNAME") or "")
    settings.setdefault("dbname", settings["user"])
    return settings


def conninfo(text: str) -> Dict[str, str]:
    """Parse a connection string, `host=... dbname=...` or a URL, into its settings."""
    if "://" not in text.partition("=")[0]:
        pairs = {name: value for name, value in _PAIR.findall(text)}
        return {
            name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == "'" else value for name, value in pairs.items()
        }
    parts = urlsplit(text)
    hosts = [_host_and_port(one) for one in parts.netloc.rpartition("@")[2].split(",")]
    found = {
        "host": ",".join(host for host, _ in hosts), "port": ",".join(port for _, port in hosts),
        "dbname": unquote(parts.path[1:]), "user": unquote(parts.netloc.rpartition("@")[0].partition(":")[0]),
    }
    return {name: value for name, value in {**found, **dict(parse_qsl(parts.query))}.items() if value.strip(",")}


def _host_and_port(text: str) -> Tuple[str, str]:
    host, _, port = text.rpartition(":") if not text.endswith("]") and ":" in text else (text, "", "")
    return unquote(host.strip("[]")), port


def _service(name: str, environ: Mapping[str, str]) -> Optional[Dict[str, str]]:
    home = environ.get("HOME") or os.path.expanduser("~")
    files = [environ.get("PGSERVICEFILE") or os.path.join(home, ".pg_service.conf")]
    files.append(os.path.join(environ.get("PGSYSCONFDIR") or "/etc/postgresql-common", "pg_service.conf"))
    for file in files:
        section = _sections(read(file) or "").get(name)
        if section is not None:
            return section
    return None


def _sections(text: str) -> Dict[str, Dict[str, str]]:
    """Parse an options file into its sections."""
    found: Dict[str, Dict[str, str]] = {}
    section: Dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and "]" in line:
            section = found.setdefault(line[1:line.index("]")].strip(), {})
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            section[name.strip().replace("_", "-")] = value.strip().strip("'\"")
    return found


def _places(client: str, settings: Mapping[str, str]) -> Iterator[Destination]:
    hosts = (settings.get("hostaddr") or settings.get("host") or "").split(",")
    ports = (settings.get("port") or "").split(",")
    for number, host in enumerate(hosts):
        port = (ports[number] if len(ports) > number else ports[0]) or "5432"
        yield Destination(client, f"postgresql://{_in_url(host)}:{port}/{settings['dbname']}")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


# --- MySQL ------------------------------------------------------------------------------------------------------------


def _mysql(command: Command) -> Iterator[Destination]:
    name, environ = command.name, command.environ
    words = _apart(command.words[1:], _MYSQL[name], attached="p")
    if words.has("V", *_WITHOUT_A_CONNECTION):
        return
    if words.has("login-path"):
        yield Destination(name, why_not="its --login-path is in an encrypted file, .mylogin.cnf")
        return
    saved = _options_of_mysql(name, words, environ)
    host = words.last("h", "host") or saved.get("host") or environ.get("MYSQL_HOST") or "localhost"
    port = words.last("P", "port") or saved.get("port") or environ.get("MYSQL_TCP_PORT") or "3306"
    told = by_mysql(words.all_of("e", "execute"))
    for database in (*_databases_of_mysql(name, words, saved), *told.databases):
        yield Destination(name, f"mysql://{_in_url(host)}:{port}/{database}")


def _databases_of_mysql(name: str, words: _Words, saved: Mapping[str, str]) -> Sequence[str]:
    if name.endswith("admin"):
        if words.rest and set(words.rest) <= _HARMLESS_OF_ADMIN:
            return ()
        return words.rest[1:2] if words.rest[:1] in (("create",), ("drop",)) else (ANY,)
    if words.has("A", "all-databases"):
        return (ANY,)
    if words.has("B", "databases") and name != "mysql":
        return words.rest
    return words.rest[:1] or (words.last("D", "database") or saved.get("database") or ANY,)


def _options_of_mysql(name: str, words: _Words, environ: Mapping[str, str]) -> Dict[str, str]:
    if words.has("no-defaults"):
        return {}
    home = environ.get("HOME") or os.path.expanduser("~")
    files = ["/etc/my.cnf", "/etc/mysql/my.cnf", words.last("defaults-extra-file"), os.path.join(home, ".my.cnf")]
    found: Dict[str, str] = {}
    for file in [words.last("defaults-file")] if words.has("defaults-file") else files:
        sections = _sections(read(file) or "") if file else {}
        for section in ("client", "client-mariadb", name):
            found.update(sections.get(section, {}))
    return found


# --- files ------------------------------------------------------------------------------------------------------------


def _file(command: Command) -> Iterator[Destination]:
    valued, words, texts = _FILES[command.name], list(command.words[1:]), []
    rest: List[str] = []
    while words:
        word = words.pop(0)
        name = "-" + word.lstrip("-")
        if word[:1] != "-":
            rest.append(word)
        elif name in ("-help", "-version"):
            return
        elif name in valued and words:
            text = words.pop(0)
            is_a_file = name in ("-init", "-f")
            texts.append(read(os.path.join(command.folder, text)) or "" if is_a_file else text)
    files = rest[:1]
    texts += rest[1:]
    for text in texts:
        for file in _READ.findall(text):
            if len(texts) < _TEXTS_AT_MOST:
                texts.append(read(os.path.join(command.folder, file.strip("'\""))) or "")
        for attached in _ATTACHED.finditer(_READ.sub("", text)):
            if attached.group(1) is None or ("=" in attached.group(1) or attached.group(1).startswith("md:")):
                yield Destination(command.name, why_not="it attaches a database that is not a file with a literal name")
            else:
                files.append(attached.group(1).replace("''", "'"))
        files += [found.split()[-1].strip("'\"") for found in _OPENED.findall(text) if found.split()]
    for file in files:
        yield Destination(command.name, file=_path(file, command.folder))


def _path(name: str, folder: str) -> str:
    name = name.partition("?")[0][len("file:"):] if name.startswith("file:") else name
    return os.path.join(folder, name) if name not in ("", ":memory:") else ""

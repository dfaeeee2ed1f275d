"""Where a text contains the passwords of commands: after an option, or in a position. Standard library only.

A command stands in a text as a line (`htpasswd -b users u secret`) or as a list of its arguments, in code, JSON or the
`repr` of a list. Each pattern is for a line; a list is read as the line that it means.
"""

from __future__ import annotations

from typing import Iterator, List, Pattern, Tuple

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401

Span = Tuple[int, int]

_CLIENTS = (
    r"\b(?:mysql\w*|mariadb[\w-]*|mongo\w*|sshpass|sqlcmd|psql|pg_\w+|ldap\w+|snowsql|isql|bcp|cqlsh|"
    r"(?:az|docker|podman|oc|helm|npm)\s+(?:\w+\s+)?login)\b"
)

# The password is the third argument, after the file and the user; with -n, which names no file, the second.
_OPTION = r"(?:-\w*[Cr][ \t]+\d+|-\w+)[ \t]+"
_GIVEN = r"(?:'[^'\n]*'|\"[^\"\n]*\"|[^\s|;'\"]+)[ \t]+"
_HTPASSWD = (
    rf"\bhtpasswd(?:\.exe)?[ \t]+(?=(?:{_OPTION})*-\w*b)(?:(?=(?:{_OPTION})*-\w*(?P<shown>n))|)"
    rf"(?:{_OPTION})+(?:--[ \t]+)?{_GIVEN}(?(shown)|{_GIVEN})"
    r"[\"']?(?P<secret>(?<=\")(?=\S)(?:[^\"\\\n]|\\.)+|(?<=')(?=\S)[^'\n]+"
    r"|(?<![\"'])[^\s'\"|;<>`]*[^\s'\"|;<>`)])"
)

# A whole argument, in quotes or not; no option, and nothing that stands for another text.
_ARGUMENT = (
    r"[\"']?(?P<secret>(?<=\")(?![$<{%*-])[^\"\n]+|(?<=')(?![<{%*-])[^'\n]+|(?<![\"'])(?![$<{%*-])[^\s'\",;|&<>()\[\]`]+)"
)
_ANY = r"[^\n|;]{0,300}?[\s'\"]"
_OF_PASSWORDS = r"(?:[Pp]ass(?:word|wd|phrase)|[Pp]wd|_secret|Secret)"
_VERBS = r"(?:set|hash|verify|check|make|encode|encrypt|compare|validate|change|reset|generate)"
_ABOUT_A_PASSWORD = (
    rf"\b(?:\w+_)?(?:{_VERBS}_?{_OF_PASSWORDS}|{_OF_PASSWORDS}_?{_VERBS})(?:_?[Hh]ash)?|\bhashpw|\bcheckpw"
)

_PATTERNS: Tuple[Tuple[Tuple[str, ...], str, int], ...] = (
    ((" -p", "'-p", '"-p'),
     rf"{_CLIENTS}[^\n|;]{{0,300}}?\s-p[ =]?(?P<quote>['\"])(?P<secret>[^\n'\"]+)(?P=quote)(?!,)", re.I),
    (("openssl",),
     rf"\bopenssl\s+passwd(?:\s+-salt\s+\S+|\s+-\w+)*\s+{_ARGUMENT}"
     rf"|\bopenssl\b{_ANY}-k\s+{_ARGUMENT.replace('secret', 'other')}",
     0),
    (("mkpasswd",), rf"\bmkpasswd(?:\s+-[mSRP]\s+\S+|\s+-\w+)*\s+{_ARGUMENT}", 0),
    (("wpa_passphrase",), rf"\bwpa_passphrase\s+\S+\s+{_ARGUMENT}", 0),
    (("nmcli",), rf"\bnmcli\b{_ANY}password\s+{_ARGUMENT}", 0),
    (("ssh-keygen",), rf"\bssh-keygen\b{_ANY}-[NP]\s+{_ARGUMENT}", 0),
    (("ipmitool",), rf"\bipmitool\b{_ANY}-P\s+{_ARGUMENT}", 0),
    (("freerdp",), rf"freerdp\b{_ANY}/p:{_ARGUMENT}", 0),
    (("net use", "net', 'use", 'net", "use'), rf"\bnet use\s+(?:\w:\s+)?\\\\\S+\s+(?!/){_ARGUMENT}", re.I),
    (("qpdf",), rf"\bqpdf\b{_ANY}--encrypt\s+{_ARGUMENT}", 0),
    (("pdf",), rf"\bpdf\w+\b{_ANY}-[uo]pw\s+{_ARGUMENT}", 0),
    (("snmp",), rf"\bsnmp\w+\b{_ANY}-[AX]\s+{_ARGUMENT}", 0),
    (("redis-cli", "valkey-cli"), rf"(?i)\b(?:redis|valkey)-cli\b{_ANY}auth\s+(?:\w+\s+(?=\S))?{_ARGUMENT}", 0),
    (("auth ",), rf"(?m)^(?:[\w.:-]+> ?)?AUTH[ \t]+(?:\w+[ \t]+(?=\S))?{_ARGUMENT}[ \t]*$", 0),
    (("requirepass", "masterauth", "bindpw", "rootpw"),
     rf"(?m)^[ \t]*(?:config set )?(?:requirepass|masterauth|bindpw|rootpw)[ \t]+{_ARGUMENT}[ \t]*$", re.I),
    (("vault", "snyk", "authtoken", "rclone"),
     rf"\b(?:vault\s+login|snyk\s+auth|ngrok\s+(?:config\s+add-)?authtoken|rclone\s+obscure)"
     rf"\s+(?![\w]+=){_ARGUMENT}", 0),
    (("--from-literal",), rf"--from-literal[=\s'\"]+[\w.-]+={_ARGUMENT}", 0),
    (("configure",), rf"\bconfigure\s+set\s+[\w.]*(?:secret|token|password)[\w.]*\s+{_ARGUMENT}", 0),
    (("isql",), rf"\bi(?:usql|sql)\s+(?:-\w+\s+)*\w+\s+\w+\s+{_ARGUMENT}", 0),
    (("using",), rf"(?i)\bconnect\s+to\s+\S+\s+user\s+\S+\s+using\s+{_ARGUMENT}", 0),
    (("useradd", "usermod"), rf"\buser(?:add|mod)\b{_ANY}(?:-p|--password)[ =]+{_ARGUMENT}", 0),
    (("crypt(",), r"(?i)\bcrypt\(\s*'(?P<secret>[^'\n]+)'", 0),
    (("pgp_sym_", "aes_"), r"(?i)\b(?:pgp_sym|aes)_(?:en|de)crypt\w*\([^()\n]{0,500},\s*'(?P<secret>[^'\n]+)'", 0),
    (("securestring",), r"(?i)\bConvertTo-SecureString\s+(?:-String\s+)?[\"'](?P<secret>[^\"'\n]+)", 0),
    (("passw", "passphrase", "pwd", "secret", "pw("),
     rf"(?:{_ABOUT_A_PASSWORD})\(\s*(?:[\w.]+\s*,\s*)?[bru]?(?P<quote>[\"'])(?P<secret>[^\"'\n]+)(?P=quote)", 0),
    ((" -p", "'-p", '"-p'),
     rf"{_CLIENTS}[^\n|;]{{0,300}}?[\s'\"]-p(?:[ =]|[\"'],\s*[\"'])?(?P<secret>(?!\d+\b|-|[\"'])[^\s'\",)\]]+)", re.I),
    (("-p",), r"\b(?:mysql\w*|mariadb[\w-]*)\b[^\n|;]{0,300}?[\s'\"]-p(?P<secret>[^\s'\",)\]]+)", 0),
    (("-p'", '-p"'),
     r"\b(?:mysql\w*|mariadb[\w-]*)\b[^\n|;]{0,300}?\s-p(?P<quote>['\"])(?P<secret>[^\n'\"]+)(?P=quote)", 0),
    (("twine",), r"\btwine\b[^\n|;]{0,300}?\s-p[ =]?(?P<secret>[^\s'\",)\]]+)", 0),
    (("zip",), r"\b(?:un)?zip\s+-P\s*(?P<secret>[^\s'\",)\]]+)", 0),
    (("7z", "rar"), r"\b(?:7z[ar]?|rar|unrar)\b[^\n|;]{0,300}?[\s'\"]-h?p(?P<secret>[^\s'\",)\]]+)", 0),
    (("smbclient", "rpcclient", "smbmap"),
     r"\b(?:smbclient|rpcclient|smbmap)\b[^\n|;]{0,300}?[\s'\"]-U[\s'\",]*[\w.\\@-]+%(?P<secret>[^\s'\",)\]]+)", 0),
    (("ldap",), r"\bldap\w+\b[^\n|;]{0,300}?[\s'\"]-w[\s'\",]*(?P<secret>[^\s'\",)\]]+)", 0),
    (("mosquitto_",), r"\bmosquitto_\w+\b[^\n|;]{0,300}?[\s'\"]-P[\s'\",]*(?P<secret>[^\s'\",)\]]+)", 0),
    (("htpasswd",), _HTPASSWD, 0),
    (("lftp",), r"\blftp\b[^\n|;]{0,300}?\s-u\s*[^\s,]+,(?P<secret>[^\s'\"]+)", 0),
    (("chpasswd",), r"(?:^|[\s'\"])[\w.-]+:(?P<secret>[^\s'\"|]+)['\"]?\s*\|\s*(?:sudo\s+)?chpasswd\b", 0),
    (("rabbitmqctl",),
     r"\brabbitmqctl\s+(?:add_user|change_password)[\s'\",]+[^\s'\",]+[\s'\",]+(?P<secret>[^\s'\",)\]]+)", 0),
    (("net",), r"(?i)\bnet[ ]user\s+[^\s/]+\s+(?P<secret>(?!/)[^\s'\"]+)", 0),
    (("redis-cli", "valkey-cli"),
     r"\b(?:redis|valkey)-cli\b[^\n|;]{0,300}?[\s'\"]-a[\s'\",]*(?P<secret>[^\s'\",)\]]+)", 0),
    (("sqlplus", "impdp", "expdp", "sqlldr", "oracle:thin"),
     r"(?:\b(?:sqlplus|impdp|expdp|sqlldr)\b[^\n|;/@]{0,100}?\s|\boracle:thin:)\w+/"
     r"(?P<secret>[^\s/@'\"<]+)(?=[@<]|\s|['\"]|\Z)", re.I),
    (("curl", "http", "wget"),
     r"\b(?:curl|https?|wget)\b[^\n|;]{0,300}?[\s'\"](?:-[uaU]|--user|--proxy-user|--auth)[\s=,'\"]*[^\s:'\"]*:"
     r"(?P<secret>[^\s'\",)\]]+)", 0),
)

_MARKS = tuple({mark for marks, _, _ in _PATTERNS for mark in marks})
# Between the arguments of a list, at least one of which is a text; the other may be a name.
_BETWEEN = r"[\"'],\s*(?:[bruf]{0,2}[\"'])?|,\s*[bruf]{0,2}[\"']"
_CLOSING = {"'": r"(?:[^'\\\n]|\\.)*", '"': r'(?:[^"\\\n]|\\.)*'}


def in_commands(text: str, lower: str) -> Iterator[Span]:
    """Yield the (start, end) of each password in a command; `lower` is the text in lower case, of the same length."""
    if not any(mark in lower for mark in _MARKS):
        return
    yield from _in_a_line(text, lower)
    line, places = _as_a_line(text)
    if places:
        for start, end in _in_a_line(line, _as_a_line(lower)[0]):
            start, end = places[start], places[end]
            rest = _CLOSING.get(text[start - 1])  # an argument that is all password may contain anything
            whole = _compiled(rest).match(text, start) if rest is not None else None
            yield start, max(end, whole.end() if whole is not None else end)


def _in_a_line(text: str, lower: str) -> Iterator[Span]:
    for marks, pattern, flags in _PATTERNS:
        for start, end in _lines_with(lower, marks):
            for match in _compiled(pattern, flags).finditer(text, start, end):
                yield match.span("secret" if match["secret"] is not None else "other")


def _lines_with(lower: str, marks: Tuple[str, ...]) -> List[Span]:
    """Return the lines with one of these marks: most patterns are slow, and few lines have a mark."""
    found = set()
    for mark in marks:
        at = lower.find(mark)
        while at != -1:
            end = lower.find("\n", at)
            end = end if end != -1 else len(lower)
            found.add((lower.rfind("\n", 0, at) + 1, end))
            at = lower.find(mark, end)
    return sorted(found)


def _as_a_line(text: str) -> Tuple[str, List[int]]:
    """Put a blank in place of what is between the arguments of lists.

    Return the result, and the position in `text` of each of its characters and its end; no positions without a list.
    """
    pieces: List[str] = []
    places: List[int] = []
    at = 0
    for between in _compiled(_BETWEEN).finditer(text):
        pieces += [text[at : between.start()], " "]
        places += range(at, between.start() + 1)
        at = between.end()
    if not pieces:
        return text, []
    return "".join([*pieces, text[at:]]), [*places, *range(at, len(text) + 1)]


@functools.lru_cache(maxsize=None)
def _compiled(pattern: str, flags: int = 0) -> Pattern[str]:
    return re.compile(pattern, flags)

"""Removes secrets from everything that is shown or stored: by their shape, and by value. Standard library only.

By shape: texts in a position where a secret is expected (`secret_shapes`). By value: values that this process has
learned to be secret (`learn`), wherever they occur, in any escaping. A value that could be an ordinary word
(`postgres`, `app`, `test`, anything below five letters, the name of a user or database) is removed only by shape, since
removing it everywhere would spoil every text.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Pattern, Sequence, Tuple

from .own import functools, os, re
from .own import own_builtins as __builtins__  # noqa: F401
from .places import place
from .secret_names import MARKS, names_a_secret
from .secret_shapes import spans

__all__ = [
    "HIDDEN", "Known", "beginning", "found_in", "known", "learn", "learn_all", "may_hold_a_secret",
    "may_hold_a_secret_in", "names_a_secret", "public_among", "redact", "redact_command", "secrets_among",
    "secrets_of_command", "without_secrets",
]  # fmt: skip

HIDDEN = "***"
KNOWN_AT_MOST = 500  # values; beyond that the oldest are forgotten

_OTHER_MARKS = (
    "://", ":\\/", "%3a", "identified", "eyj", "akia", "asia", "bearer", "basic ", "ghp_", "gho_", "ghs_", "ghu_",
    "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_", "rk_", "aiza", "npm_", "pypi-", "hvs.", "scram-", " -p",
    "'-p", '"-p', ";-p", "-cli", "curl", "@", " -a ", " -u ", "url.create", "sqlplus", "impdp", "expdp", "sqlldr",
    "zip -p", "nats://", "hooks.slack.com", "oracle:thin", "sessionid=", "sessid=", "connect.sid=", " -hp", "'-hp",
    '"-hp', "ldap", "rabbitmqctl", "net user ", "net', 'user", 'net", "user', "mosquitto_", "'-a'", '"-a"', "'-u",
    '"-u', "lftp", "smbclient", "rpcclient", "smbmap", "&#", "</",
    "sudo", "kinit", "cryptsetup", "vault", "assword", "openssl", "ipmitool", "freerdp", "net use", "qpdf", "-upw",
    "-opw", "snmp", "--from-literal", "isql", "using", "crypt(", "_decrypt", "_encrypt", "securestring", "useradd",
    "\x1b[", "x1b[", "\\033[", "u001b[", "usermod", "rclone", "pw(", "copy ", "insert into",
)  # fmt: skip
_ALL_MARKS = (*MARKS, *_OTHER_MARKS)
_FIVE_FIELDS = re.compile(r":(?:\*|\d{2,5}):[\w.*$-]+:")
_WORD = re.compile(
    r"(?:.{0,4}|\d{5,7}|[A-Z]?[a-z]{4,11}|[A-Z]{5,8}|[a-z]{2,6}\d|(?:postgres|password|database|testuser)\d{0,4}"
    r"|~?(?:/[\w.@+-]+){2,}/?)$", re.DOTALL
)
_PUBLIC_NAME = re.compile(r"(?i)(?:^|_)(?:user|username|login|logname|host|hostname|db|dbname|database|name)$")
_CORE = re.compile(r"[A-Za-z0-9]+")
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_REMEMBERED_LENGTH = 1000  # characters; results for longer texts are not cached
_BEYOND_A_CUT = 1000  # characters examined after a cut, for a secret that crosses it
_KEYS_OF_NAMES = ("name", "Name", "key", "Key")  # keys of a name next to its value, as in lists of variables
_ENDS = re.compile("[@/?#]")
_SHORT = 8  # characters; shorter values are removed as whole words only


class Known:
    """The secret values, and every escaping of them in JSON, HTML, a URL, a shell or a `repr`."""

    __slots__ = ("_cores", "_encoded", "_pattern", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = tuple(sorted({value for value in values if not could_be_a_word(value)}, key=len, reverse=True))
        # A part of each value that no escaping changes; and the parts of its base64 forms.
        self._cores = tuple({max(_CORE.findall(value), key=len) for value in self._values})
        self._encoded = tuple({core for value in self._values for core in _in_base64(value)})
        self._pattern: Optional[Pattern[str]] = None

    def __repr__(self) -> str:
        return f"Known({len(self._values)} values)"

    def and_of(self, values: Iterable[str]) -> "Known":
        """Return these values and others."""
        return Known((*self._values, *values))

    def within(self, text: str) -> bool:
        """Return whether `text` contains one of the values."""
        return self.may_be_in(text) and self._compiled().search(text) is not None

    def out_of(self, text: str) -> str:
        """Return `text` with each of the values masked."""
        return self._compiled().sub(HIDDEN, text) if self.may_be_in(text) else text

    def may_be_in(self, text: str) -> bool:
        """Return whether a text may contain one of the values, in base64, too; faster than `within`."""
        return self.may_be_plain_in(text) or any(core in text for core in self._encoded)

    def may_be_plain_in(self, text: str) -> bool:
        """Return whether a text may contain one of the values other than in base64; fast."""
        for core in self._cores:  # noqa: SIM110  # `any` with a generator takes twice as long
            if core in text:
                return True
        return False

    def _compiled(self) -> Pattern[str]:
        if self._pattern is None:
            ways = [way for value in self._values for way in (_spelled(value), *map(re.escape, _in_base64(value)))]
            self._pattern = re.compile("|".join(ways))
        return self._pattern


def could_be_a_word(value: str) -> bool:
    """Return whether a value may have another meaning where it occurs, so that removing it would spoil texts."""
    return _WORD.match(value) is not None or not _CORE.search(value) or HIDDEN in value


def _spelled(value: str) -> str:
    """Return a pattern for a value in which each character may be escaped in any way."""
    text = "".join(letter if letter.isalnum() and letter.isascii() else _ways(letter) for letter in value)
    return text if len(value) >= _SHORT else rf"(?<![A-Za-z0-9]){text}(?![A-Za-z0-9])"


def _ways(letter: str) -> str:
    percent = "".join(f"%(?:25)*{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
    number = ord(letter)
    ways = [
        rf"\\*{re.escape(letter)}", f"(?i:{percent})", f"&(?:amp;)*#0*{number};",
        f"(?i:&(?:amp;)*#x0*{number:x};)",
        rf"(?i:\\+u{number:04x})", rf"(?i:\\+x{number:02x})",
    ]
    if letter in _NAMED:
        ways.append(f"&(?:amp;)*{_NAMED[letter]};")
    if letter in "'\"}":
        ways.append(f"{letter}{letter}")
    if number > 0x7F:
        ways.append("(?i:" + "".join(rf"\\+x{byte:02x}" for byte in letter.encode("utf-8", "surrogatepass")) + ")")
    if letter == "'":
        ways.append("'\"'\"'|'\\\\+''")
    if letter == " ":
        ways.append(r"\+|\s+")
    if letter in "\n\r\t":
        ways.append(r"\\+" + {"\n": "n", "\r": "r", "\t": "t"}[letter])
    if number > 0xFFFF:
        high, low = divmod(number - 0x10000, 0x400)
        ways.append(rf"(?i:\\+u{0xD800 + high:04x}\\+u{0xDC00 + low:04x})")
    return f"(?:{'|'.join(ways)})"


def _in_base64(value: str) -> List[str]:
    """Return the texts that appear in the base64 of any text that contains the value: one for each of three alignments.

    Then the same in the URL-safe alphabet, if that differs; [] for a short value.
    """
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < _SHORT:
        return []
    found = []
    for before in range(3):
        whole = b2a_base64(b"\0" * before + data, newline=False).decode().rstrip("=")
        start, end = (0, 2, 3)[before], len(whole) - ((len(data) + before) % 3 > 0)
        found.append(whole[start:end])
    return [*found, *(text.translate({43: 45, 47: 95}) for text in found if "+" in text or "/" in text)]


# The values learned by this process. `_known` is replaced as a whole, so readers in other threads need no lock.
_values: Dict[str, None] = {}
_known = Known()


def known() -> Known:
    """Return the values that this process has learned."""
    return _known


def learn(*values: Optional[str]) -> None:
    """Remember values as secrets, to be masked in every text from now on; values that could be a word are ignored."""
    global _known
    new = [value for value in values if value and value not in _values and not could_be_a_word(value)]
    if new:
        for value in new:
            _values[value] = None
        while len(_values) > KNOWN_AT_MOST:
            del _values[next(iter(_values))]
        _known = Known(list(_values))


def learn_all(named: Mapping[str, Any]) -> None:
    """Learn the secrets among named values: variables, parameters, settings, arguments."""
    public = set(public_among(named))
    learn(*(value for value in secrets_among(named) if value not in public))


def public_among(named: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the names of users, servers and databases, which are no secrets even if one is used as a password."""
    for name, value in named.items():
        if type(value) is str:
            if _PUBLIC_NAME.search(name):
                yield value
            if "://" in value:
                yield from place(value) or ()


def secrets_among(named: Mapping[Any, Any]) -> List[str]:
    """Return the values whose names are those of secrets, and the secrets in other values, such as URLs and DSNs."""
    found: List[str] = []
    for name, value in named.items():
        kind = type(value)
        if issubclass(kind, dict):
            found += secrets_among(dict(dict.items(value)))
        elif issubclass(kind, (list, tuple)):
            inner = list.__iter__(value) if issubclass(kind, list) else tuple.__iter__(value)
            found += secrets_among({f"{name}{number}": one for number, one in enumerate(inner)})
        elif issubclass(kind, (str, bytes)):
            text = _text(value)
            is_secret = type(name) is str and names_a_secret(name) and not _is_where_a_shell_is(name, text)
            if is_secret and "://" not in text:
                found.append(text)
            found += found_in(text)
    return found


def _is_where_a_shell_is(name: str, text: str) -> bool:
    """Tell whether a variable is a shell's working directory. As a secret it would hide every location in it."""
    return name in ("PWD", "OLDPWD") and text.startswith("/") and os.path.isdir(text)


def found_in(text: str) -> List[str]:
    """Return the secrets that a text contains by shape, as written and unescaped."""
    if not may_hold_a_secret(text):
        return []
    found = [text[start:end] for start, end in _spans_of(text)]
    if "%" in text:
        from urllib.parse import unquote

        found += [unquote(value) for value in found if "%" in value]
    # A driver may end a password that is not quoted at one of these, and show what follows as a host or a name.
    found += [part for value in found for part in _ENDS.split(value)[1:]]
    return [*found, *(re.sub(r"\\(.)", r"\1", value) for value in found if "\\" in value)]


def may_hold_a_secret(text: str) -> bool:
    """Return whether a text contains a mark, without which it has no secret. Fast, and false for most texts."""
    return _has_a_mark(text) or _known.may_be_plain_in(text)


def may_hold_a_secret_in(pieces: Sequence[str], whole: str) -> bool:
    """Return the same for a text in pieces, none of which ends within a mark. Most pieces are in other texts, too."""
    for piece in pieces:  # `any` with a generator takes twice as long
        if _has_a_mark(piece):
            return True
    return _known.may_be_plain_in(whole)


def _has_a_mark(text: str) -> bool:
    return _is_marked(text) if len(text) < _REMEMBERED_LENGTH else _is_marked.__wrapped__(text)


@functools.lru_cache(maxsize=4096)  # the same texts are recorded again and again
def _is_marked(text: str) -> bool:
    lower = text.lower()
    for mark in _ALL_MARKS:  # `any` with a generator takes twice as long
        if mark in lower:
            return True
    return _FIVE_FIELDS.search(text) is not None


def _spans_of(text: str) -> Sequence[Tuple[int, int]]:
    return _remembered_spans(text) if len(text) < _REMEMBERED_LENGTH else spans(text)


@functools.lru_cache(maxsize=4096)  # the same URLs and variables, in each test
def _remembered_spans(text: str) -> Tuple[Tuple[int, int], ...]:
    return tuple(spans(text))


def redact(text: str, before: str = "") -> str:
    """Return `text` with `***` in place of each secret, by shape or by value.

    A text that arrives in pieces is recognised by the lines `before` it, too, such as the head of its columns.
    """
    whole = before + text
    if not may_hold_a_secret(whole):
        return _known.out_of(text)
    pieces, at = [], len(before)
    for start, end in _spans_of(whole):
        if end > at:
            pieces += [whole[at:start], HIDDEN]
            at = end
    return _known.out_of("".join([*pieces, whole[at:]]))


def beginning(text: str, at_most: int) -> str:
    """Return the beginning of a text without secrets; none is cut in half first, which would make it unrecognizable."""
    return redact(text[: at_most + _BEYOND_A_CUT])[:at_most]


def secrets_of_command(arguments: Sequence[str]) -> List[str]:
    """Return the secrets in the arguments of a command."""
    hidden = redact_command(arguments)
    found = [given for given, shown in zip(arguments, hidden) if shown == HIDDEN]
    return [*found, *(secret for given in (*arguments, " ".join(arguments)) for secret in found_in(given))]


def redact_command(arguments: Sequence[str]) -> List[str]:
    """Return the arguments of a command without secrets, including those in the argument after an option."""
    found: List[str] = []
    for number, argument in enumerate(arguments):
        before = arguments[number - 1] if number else ""
        if before.startswith("-") and "=" not in before and names_a_secret(before) and not argument.startswith("-"):
            found.append(HIDDEN)
        else:
            found.append(redact(argument))
    # Some options are ambiguous, such as mysql's -p: they are recognized by the whole command line.
    one_word = [re.sub(r"\s", "_", argument) for argument in found]
    words = redact(" ".join(one_word)).split(" ")
    if len(words) != len(found):
        return found
    return [
        before if new == old else new if old == before else HIDDEN for before, old, new in zip(found, one_word, words)
    ]


def without_secrets(value: Any) -> Any:
    """Return nested lists and mappings of texts without secrets, including values with the name of a secret.

    Values of other types stay as they are. No method of a value is called, since subclasses may override them.
    """
    kind = type(value)
    if issubclass(kind, str):
        return redact(str.__str__(value))
    if issubclass(kind, dict):
        items = dict(dict.items(value))
        return {key: _under(key, inner, items) for key, inner in items.items()}
    for base in (list, tuple):
        if issubclass(kind, base):
            return _in_a_list(list(base.__iter__(value)))
    return value


def _in_a_list(values: List[Any]) -> List[Any]:
    texts = [str.__str__(value) for value in values if issubclass(type(value), str)]
    if len(texts) == len(values) and any(text.startswith("-") for text in texts):
        return redact_command(texts)
    return [without_secrets(value) for value in values]


def _under(key: Any, value: Any, beside: Dict[Any, Any]) -> Any:
    is_value = type(key) is str and key in ("value", "Value")
    name = next((beside[name] for name in _KEYS_OF_NAMES if name in beside), key) if is_value else key
    if type(name) is str and issubclass(type(value), (str, bytes)) and names_a_secret(name):
        text = _text(value)
        return redact(text) if "://" in text else HIDDEN if text else ""
    return without_secrets(value)


def _text(value: Any) -> str:
    return str.__str__(value) if issubclass(type(value), str) else bytes.decode(value, errors="replace")

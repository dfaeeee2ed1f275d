"""Passwords out of everything that is shown or kept: by the shape of a text, and by value. Standard library only.

By shape: what stands where a secret is expected (`secret_shapes`). By value: what this process has learned to be a
secret (`learn`) goes wherever it turns up, in whatever way it is spelled there. A value that could be an ordinary word
(`postgres`, `app`, `test`, anything of under five letters, a user's or a database's name) is not taken out by value,
which would spoil every text: it goes where its shape gives it away, and only there.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Pattern, Sequence

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401
from .places import place
from .secret_names import MARKS, names_a_secret
from .secret_shapes import spans

__all__ = [
    "HIDDEN", "Known", "beginning", "found_in", "known", "learn", "learn_all", "may_hold_a_secret", "names_a_secret",
    "public_among", "redact", "redact_command", "secrets_among", "secrets_of_command", "without_secrets",
]  # fmt: skip

HIDDEN = "***"
KNOWN_AT_MOST = 500  # values; who makes new ones for ever has the latest taken out

_OTHER_MARKS = (
    "://", ":\\/", "%3a", "identified", "eyj", "akia", "asia", "bearer", "basic ", "ghp_", "gho_", "ghs_", "ghu_",
    "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_", "rk_", "aiza", "npm_", "pypi-", "hvs.", "scram-", " -p",
    "'-p", '"-p', ";-p", "-cli", "curl", "@", " -a ", " -u ", "url.create", "sqlplus ", "impdp ", "expdp ", "sqlldr ",
    "zip -p", "nats://", "hooks.slack.com", "oracle:thin", "sessionid=", "sessid=", "connect.sid=", " -hp", "'-hp",
    "ldap", "rabbitmqctl", "net user ", "mosquitto_",
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
_REMEMBERED_LENGTH = 1000  # characters of a text of which it is remembered whether it has a mark
_BEYOND_A_CUT = 1000  # characters that are looked through, for a secret that goes over the cut
_KEYS_OF_NAMES = ("name", "Name", "key", "Key")  # beside the key of a value, as in lists of variables
_SHORT = 8  # characters; what is shorter is taken out where it stands alone, not within a word


class Known:
    """Values that must not be seen, and every way in which JSON, HTML, a URL, a shell or a `repr` may spell them."""

    __slots__ = ("_cores", "_encoded", "_pattern", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = tuple(sorted({value for value in values if not could_be_a_word(value)}, key=len, reverse=True))
        # What is in every text that holds a value, however it is spelled; and what is in one that holds it in base64.
        self._cores = tuple({max(_CORE.findall(value), key=len) for value in self._values})
        self._encoded = tuple({core for value in self._values for core in _in_base64(value)})
        self._pattern: Optional[Pattern[str]] = None

    def __repr__(self) -> str:
        return f"Known({len(self._values)} values)"

    def within(self, text: str) -> bool:
        """Tell whether one of the values is in `text`."""
        return self.may_be_in(text) and self._compiled().search(text) is not None

    def out_of(self, text: str) -> str:
        """Return `text` with each of the values replaced."""
        return self._compiled().sub(HIDDEN, text) if self.may_be_in(text) else text

    def may_be_in(self, text: str) -> bool:
        """Tell whether a text may hold one of the values, in base64 as well; quicker than `within`."""
        return self.may_be_plain_in(text) or any(core in text for core in self._encoded)

    def may_be_plain_in(self, text: str) -> bool:
        """Tell it of all other spellings; quick."""
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
    """Tell whether a value may well be meant otherwise where it turns up, so that taking it out spoils the text."""
    return _WORD.match(value) is not None or not _CORE.search(value) or HIDDEN in value


def _spelled(value: str) -> str:
    """A pattern for a value in which each sign may be escaped in its own way."""
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
    """What base64 of any text with the value in it holds: three texts, for the three places that it can begin at."""
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < _SHORT:
        return []
    found = []
    for before in range(3):
        whole = b2a_base64(b"\0" * before + data, newline=False).decode().rstrip("=")
        start, end = (0, 2, 3)[before], len(whole) - ((len(data) + before) % 3 > 0)
        found.append(whole[start:end])
    return [*found, *(text.translate({43: 45, 47: 95}) for text in found if "+" in text or "/" in text)]


# What this process knows. It only grows, and a reader has either the old or the new one: nothing needs a lock.
_values: Dict[str, None] = {}
_known = Known()


def known() -> Known:
    """Return the values that this process has learned."""
    return _known


def learn(*values: Optional[str]) -> None:
    """Keep values in mind as secrets: they are taken out of every text from now on."""
    global _known
    new = [value for value in values if value and value not in _values and not could_be_a_word(value)]
    if new:
        for value in new:
            _values[value] = None
        while len(_values) > KNOWN_AT_MOST:
            del _values[next(iter(_values))]
        _known = Known(list(_values))


def learn_all(named: Mapping[str, Any]) -> None:
    """Learn what is secret among values that have names: of variables, parameters, settings, arguments."""
    public = set(public_among(named))
    learn(*(value for value in secrets_among(named) if value not in public))


def public_among(named: Mapping[Any, Any]) -> Iterator[str]:
    """Give the names of users, servers and databases: who takes one of them for a password hides nothing by it."""
    for name, value in named.items():
        if type(value) is str:
            if _PUBLIC_NAME.search(name):
                yield value
            if "://" in value:
                yield from place(value) or ()


def secrets_among(named: Mapping[Any, Any]) -> List[str]:
    """Return the values that have names of secrets, and the secrets that other values hold, such as URLs and DSNs."""
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
            if type(name) is str and names_a_secret(name) and "://" not in text:
                found.append(text)
            found += found_in(text)
    return found


def found_in(text: str) -> List[str]:
    """Return the secrets that a text holds by its shape, as they are written there and as they are meant."""
    if not may_hold_a_secret(text):
        return []
    found = [text[start:end] for start, end in spans(text)]
    if "%" in text:
        from urllib.parse import unquote

        found += [unquote(value) for value in found if "%" in value]
    return [*found, *(re.sub(r"\\(.)", r"\1", value) for value in found if "\\" in value)]


def may_hold_a_secret(text: str) -> bool:
    """Tell whether a text has a mark without which nothing in it can be a secret. It is quick, and most have none."""
    marked = _is_marked(text) if len(text) < _REMEMBERED_LENGTH else _is_marked.__wrapped__(text)
    return marked or _known.may_be_plain_in(text)


@functools.lru_cache(maxsize=4096)  # what is written down is the same again and again
def _is_marked(text: str) -> bool:
    lower = text.lower()
    for mark in _ALL_MARKS:  # `any` with a generator takes twice as long
        if mark in lower:
            return True
    return _FIVE_FIELDS.search(text) is not None


def redact(text: str) -> str:
    """Return `text` with `***` in place of every secret, by its shape or by its value."""
    if not may_hold_a_secret(text):
        return _known.out_of(text)
    found = spans(text)
    if found:
        pieces, at = [], 0
        for start, end in found:
            pieces += [text[at:start], HIDDEN]
            at = end
        text = "".join([*pieces, text[at:]])
    return _known.out_of(text)


def beginning(text: str, at_most: int) -> str:
    """Return the beginning of a text without secrets: none of them is cut in half, and so no longer known."""
    return redact(text[: at_most + _BEYOND_A_CUT])[:at_most]


def secrets_of_command(arguments: Sequence[str]) -> List[str]:
    """Return the secrets that are given in the arguments of a command."""
    hidden = redact_command(arguments)
    found = [given for given, shown in zip(arguments, hidden) if shown == HIDDEN]
    return [*found, *(secret for given in (*arguments, " ".join(arguments)) for secret in found_in(given))]


def redact_command(arguments: Sequence[str]) -> List[str]:
    """Return the arguments of a command without secrets, also those that stand apart from their option's name."""
    found: List[str] = []
    for number, argument in enumerate(arguments):
        before = arguments[number - 1] if number else ""
        if before.startswith("-") and "=" not in before and names_a_secret(before) and not argument.startswith("-"):
            found.append(HIDDEN)
        else:
            found.append(redact(argument))
    # Some commands have options whose names say nothing, such as mysql's -p: they are known by the whole line.
    one_word = [re.sub(r"\s", "_", argument) for argument in found]
    words = redact(" ".join(one_word)).split(" ")
    if len(words) != len(found):
        return found
    return [
        before if new == old else new if old == before else HIDDEN for before, old, new in zip(found, one_word, words)
    ]


def without_secrets(value: Any) -> Any:
    """Return nested lists and mappings of texts without secrets, also what has the name of one.

    What is none of JSON's kinds stays as it is. Nothing of a value's own is called, as classes that are derived from
    these may have another idea of their items.
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

"""Where a text contains secrets, recognized by their context and shape. Standard library only.

A secret is a value after the name of one (`password=`, `"apiKey": `, `--db-pass `, `IDENTIFIED BY `), the password part
of a URL, an argument of a known command (`secret_commands`), or a text of an unmistakable shape (a private key, a JSON
web token, a header with credentials). Each pattern is tried only if the text contains one of its marks, a cheap test
that most texts fail.

Anything else is kept, so that the text stays readable: a type (`password: str`), a placeholder (`%s`, `${DB_PASS}`), a
reference (`password=settings.password`), a sentence about passwords.
"""

from __future__ import annotations

from binascii import a2b_base64
from typing import Iterator, List, Match, Optional, Pattern, Tuple

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401
from .secret_columns import table_of
from .secret_commands import in_commands
from .secret_inputs import in_inputs
from .secret_markup import TAGS, Page, Tag, named_in, tags_in
from .secret_names import MARKS, names_a_secret
from .secret_names import words as _words
from .secret_tables import Table, is_a_count

Span = Tuple[int, int]

_LEFT = re.compile(r"[\w-]*\Z")
_RIGHT = re.compile(r"[\w-]*")
_NAME_AT_MOST = 80  # characters, on each side of a mark
_ATTRIBUTE_AT_MOST = 300  # characters before a name in it


def spans(text: str) -> List[Span]:
    """Return the (start, end) of each secret in `text`, in order and without overlaps.

    A text may be escaped, like JSON within JSON, HTML or a URL's parameter: it is searched as it is, and unescaped.
    One with tags of HTML is also searched as a browser shows it, and its tables; one with colours as a terminal does.
    """
    if "E  " in text:
        text = _OF_PYTEST.sub(" ", text)  # of the same length
    if not any(sign in text for sign in _ESCAPE_SIGNS):
        return _apart(_found_in(text, _DEPTH), text)
    plain, places = _without(_OF_A_TERMINAL, text)
    found = _found_in(plain, _DEPTH)
    return _apart([(places[start], places[end - 1] + 1) for start, end in found if start < end], text)


_OF_PYTEST = re.compile(r"(?m)^[E>](?= {3})")  # what pytest puts before the lines of an error
_ESCAPE_SIGNS = ("\x1b", "\\x1b[", "\\033[", "\\u001b[")
_OF_A_TERMINAL = (
    r"(?:\x1b|\\+(?:x1b|033|u001b))\[[0-9;:?]{0,40}[A-Za-z]"
    r"|\x1b\][^\x07\x1b\n]{0,1000}(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]"
)


def _without(pattern: str, text: str) -> Tuple[str, List[int]]:
    """Return a text without what matches, and the position in `text` of each of its characters."""
    pieces: List[str] = []
    places: List[int] = []
    at = 0
    for found in _compiled(pattern).finditer(text):
        pieces.append(text[at : found.start()])
        places += range(at, found.start())
        at = found.end()
    return "".join([*pieces, text[at:]]), [*places, *range(at, len(text))]


def _found_in(text: str, depth: int) -> List[Span]:
    found: List[Span] = []
    number_of_tags = 0
    layers = list(_layers(text))
    for view, places in layers:
        inner = _spans(view, is_last=view is layers[-1][0])
        tags = tags_in(view) if depth else []
        if len(tags) > number_of_tags:
            inner += _in_markup(view, tags, depth - 1)
            number_of_tags = len(tags)
        found += inner if places is None else [(places[start], places[end]) for start, end in inner]
    return found


def _layers(text: str) -> Iterator[Tuple[str, Optional[List[int]]]]:
    """Yield a text as it is, then with layers of escapes removed and the position of each character and of the end."""
    view, places = text, None
    yield view, places
    for _ in range(_LAYERS_AT_MOST):
        decoded = _decoded(view)
        if decoded is None:
            return
        view, inner = decoded
        places = inner if places is None else [places[place] for place in inner]
        yield view, places


def _in_markup(text: str, tags: List[Tag], depth: int) -> Iterator[Span]:
    page = Page(text, tags)
    for start, end in _found_in(page.shown, depth):
        yield from page.back(start, end)
    lower = text.lower()
    for found in named_in(text, tags) if any(mark in lower for mark in MARKS) else ():
        value = "".join(text[start:end] for start, end in found.places)
        value = (_decoded(value) or (value, []))[0]
        if _may_be_a_value(value, found.name) and (found.in_a_table or _compiled(_MIXED_WORD).fullmatch(value)):
            yield from found.places


def _may_be_a_value(text: str, name: str) -> bool:
    """Return whether the text of a cell may be the secret that another names: no type, reference or placeholder."""
    if text.lower() in _PROSE or (name.lower().endswith("tokens") and text.isdigit() and len(text) < 4):
        return False
    if any(_compiled(pattern).fullmatch(text) for pattern in (_NOTHING, _TYPE, _SQL_TYPE)):
        return False
    if text.strip("\"'`") == name or (name in ("PWD", "OLDPWD") and text.startswith("/")):
        return False
    return not _is_a_reference(name, text, "colon") and re.search(r"\w", text) is not None


def _spans(text: str, is_last: bool) -> List[Span]:
    lower = text.lower()
    found: List[Span] = []
    if len(lower) != len(text):  # some letters are longer in lower case: positions would shift
        lower = "".join(letter.lower() if letter < "\x80" else letter for letter in text)
    if any(mark in lower for mark in MARKS):
        columns: List[Span] = []
        found += (span for span in _named(text, lower, columns) if is_last or not _is_clearer_unescaped(text, *span))
        found += columns
    if "://" in text:
        found += _in_urls(text)
    found += in_commands(text, lower)
    found += in_inputs(text, lower)
    for marks, pattern, flags in _PATTERNS:
        if any(mark in lower for mark in marks):
            matches = _compiled(pattern, flags).finditer(text)
            check = _CHECKED.get(marks)
            found += [match.span("secret") for match in matches if check is None or check(match)]
    return found


def _is_clearer_unescaped(text: str, start: int, end: int) -> bool:
    """Return whether a value without quotes contains an escape of HTML: only what that means shows where it ends."""
    is_quoted = text[start - 1 : start] in (*_QUOTES, ">")
    return not is_quoted and _compiled(_ENTITY).search(text, start, end + 1) is not None


_DEPTH = 2  # tags in the attribute of a tag
_LAYERS_AT_MOST = 3
_ENTITY = r"&(?:quot|apos|amp|lt|gt|\#\d{2,6}|\#[xX][0-9a-fA-F]{2,5});"
_ESCAPES = (
    r"&(?P<named>quot|apos|amp|lt|gt);|&\#0*(?P<decimal>\d{2,6});|&\#[xX]0*(?P<hex>[0-9a-fA-F]{2,5});"
    r"|\\(?:u(?P<unicode>[0-9a-fA-F]{4})|(?P<sign>[\"'\\/nrt]))"
    r"|%(?P<percent>2[023567CFcf]|3[ABDFabdf]|40|5[BDbd]|7[BDbd])"
)
_NAMED = {"quot": '"', "apos": "'", "amp": "&", "lt": "<", "gt": ">", "n": "\n", "r": "\r", "t": "\t"}


def _decoded(text: str) -> Optional[Tuple[str, List[int]]]:
    """Remove one layer of escapes. Return the result, and the position in `text` of each of its characters and its end.

    None if the text has no escapes.
    """
    if "\\" not in text and "&" not in text and "%" not in text:
        return None
    pieces, places, at = [], [], 0
    for escape in _compiled(_ESCAPES).finditer(text):
        start = escape.start()
        pieces += [text[at:start], _meant(escape)]
        places += [*range(at, start), start]
        at = escape.end()
    if not pieces:
        return None
    return "".join([*pieces, text[at:]]), [*places, *range(at, len(text) + 1)]


def _meant(escape: Match[str]) -> str:
    word = escape["named"] or escape["sign"]
    if word is not None:
        return _NAMED.get(word, word)
    number = escape["hex"] or escape["unicode"] or escape["percent"]
    return chr(int(number, 16)) if number is not None else chr(int(escape["decimal"]))


def _apart(found: List[Span], text: str) -> List[Span]:
    """Merge overlapping spans, and drop those that are empty or masked already."""
    joined: List[Span] = []
    for start, end in sorted(found):
        if not text[start:end].strip("*. \t"):
            continue
        if joined and start < joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


@functools.lru_cache(maxsize=None)
def _compiled(pattern: str, flags: int = 0) -> Pattern[str]:
    return re.compile(pattern, flags)


# --- after a name ----------------------------------------------------------------------------------------------------

_QUOTES = ("'", '"', "`")
_Q = "[\"'`]"
_TYPE = (
    r"(?:(?:typing|t|pydantic|orm)\.)?(?:str|bytes|int|float|bool|Optional|Union|SecretStr|SecretBytes|Secret|Any|"
    r"Annotated|Final|ClassVar|Mapped|Literal|String|string|[Ll]ist|[Dd]ict|[Ss]et|[Tt]uple|frozenset|Callable|Iterable|"
    r"Sequence|Mapping|[Tt]ype)\b(?:\[(?:[^\n=]{0,80}\]|[ \t]*(?=\n|\Z)))?(?:\s*\|\s*[A-Za-z_][\w.]*)*"
)
_LINK = rf"""(?xs)
(?P<close>{_Q})?(?P<bracket>\])?
(?: (?P<typed>[ \t]*:[ \t]*{_TYPE}[ \t]*=(?!=)[ \t]*)
  | (?P<equals>[ \t]*(?:=>|->|:=|[!=]==?|=)[ \t]*)
  | (?P<colon>[ \t]*(?:[ \t](?:is|was|for\ (?:user\ )?\S{{1,40}}))?[ \t]*:(?!:|//)[ \t]*(?:(?<=["'`;]:)\s*)?)
  | (?P<comma>[ \t]*,\s*)
  | (?P<is>[ \t]+(?i:is|was|to|\w+:|for\ [\w@.%]+[ \t]*=)[ \t]+)
  | (?P<blank>[ \t]+)
)"""
_VALUE_OF = (
    rf"(?is)(?:{_Q})?[ \t]*[,;]?\s*(?:{_Q}type{_Q}\s*:\s*{_Q}\w*{_Q},\s*)?"
    rf"(?:{_Q})?(?:value|default|content|val)(?:{_Q})?\s*[:=]\s*"
)
_VALUE_BEFORE = rf"(?i){_Q}value{_Q}:\s*{_Q}(?P<secret>[^\n\"'`]+){_Q},\s*{_Q}(?:name|key){_Q}:\s*{_Q}\Z"
_NESTED = r"[ \t]*:[ \t]*\n[ \t]+value:[ \t]*"  # a CI variable with its description
_VALIDATED = r"\n  [^\n]*\binput_value=(?P<secret>[^\n]+?), input_type="  # pydantic's validation errors
_OF_A_KEY = r"\)=\((?P<secret>[^\n]+?)\)(?=\s+(?:already|is)\b|\s*\Z)"  # Postgres's errors about a key
_GIVEN_OTHERWISE = (  # the default of a setting
    rf"(?:{_Q}(?:,\s*\w+=\w+)*,\s*(?:default\s*=\s*)|{_Q}[)\]][ \t]+or[ \t]+)(?={_Q})"
)
_WITH_ANOTHER = (  # `environ.get("X", "...")`
    rf"(?:[A-Za-z_][\w.]*\(\s*)+{_Q}[^\n\"'`]*{_Q},\s*(?:default\s*=\s*)?[bruf]?"
    rf"(?P<quote>{_Q})(?P<secret>[^\n\"'`]+)(?P=quote)"
)
_OR_ANOTHER = rf"[A-Za-z_][\w.]*[(\[][^\n]{{0,100}}?[)\]]\s+or\s+(?={_Q})"
_TOGETHER = r"(?:,[ \t]*\w+){0,8}\)?[ \t]*=[ \t]*\(?(?P<secret>[bruf]?[\"'][^\n]*[\"'])"
_NAMES_BEFORE = r"(?m)(?:^|['\"`\[:]|(?<![\s,(])\s)[ \t]*[>E]?[ \t]*\(?(?P<names>(?:\w+,[ \t]*){0,8})\Z"
_BAR = r"(?:[|│┃]|\\u250[23])"
_CELL = rf"[ \t]+{_BAR}[ \t]+(?P<secret>[^|│┃\n]+?)[ \t]+{_BAR}"
_NAMED_AS = rf"(?i)(?:name|key|var|variable|field|header|id)(?:{_Q})?\s*[:=]\s*(?:{_Q})?\Z"
_XML = r"[^<>\n]{0,200}>\s{0,40}(?P<secret>[^<\s][^<\n]*)\s{0,40}</"
_WHOLE_ATTRIBUTE = r"(?<!\bfor)(?<!\bhref)(?<!\btype)(?<!\bsrc)\s*=\s*[\"'][\w.:/-]*\Z"
_XML_KEY = r"[\"']\s*/?>(?P<secret>[^<\n]+)</"
_OPEN_QUOTE = rf"(?P<prefix>[bBrRuUfFeEnN]{{0,2}})(?P<quote>'''|\"\"\"|{_Q})"
_WRAPPED = rf"(?:[A-Za-z_][\w.]*\(\s*)+(?=[bBrRuUfFeEnN]{{0,2}}{_Q})"
# Calls that return their argument in another form. The argument of other calls is a name, as in `environ.get("X")`.
_WRAPPER = (
    r"(?:.*\()?(?:[\w.]*\.)?(?:[A-Z]\w*|(?:un)?quote(?:_plus)?|str|repr|bytes|bytearray|password|secret)\(\s*"
)
_CLOSING = {
    "'": r"(?s)(?:[^'\\\n]|\\.|''|'(?=\w))*?(?:'(?!['\w])|(?=\n)|\Z)",
    '"': r'(?s)(?:[^"\\\n]|\\.|""|"(?=\w))*?(?:"(?!["\w])|(?=\n)|\Z)',
    "`": r"(?s)[^`\n]*(?:`|(?=\n)|\Z)",
}
_HTML = rf"</?(?:{TAGS})(?=[\s/>])[^<>]*>"
_NEXT_KEY = rf"[\s,;&)\]}}'\"]*(?:{_Q})?[A-Za-z_][\w.%-]{{0,60}}(?:{_Q})?[ \t]*[=:]"
_STOPS = ",;&)]}'\"`<>"
_BLANK_OR_STOP = ("", *_STOPS, *" \t\n\r")
_ESCAPED_BLANK = r"\\[nrt](?:[\w.]+\s*[=:]|[\s\"']|\Z)"
_ALONE = rf"[ \t]*(?:\Z|[\n\r,;)\]}}&#\"'`<|│┃]|\\[nr]|{_NEXT_KEY})"
_SHELL_WORD = r"(?:[^\s'\",;)\]]|['\",;)\]](?=[^\s'\",;)\]]))+"
_REFERENCE = (
    r"(?:(?:self|cls|settings|config|cfg|conf|args|kwargs|os|env|environ|app|request|options|opts|params|ctx|context|"
    r"url|parts|form|data|creds|credentials|user|account|connection|conn|secrets|getpass|keyring|get_settings\(\))"
    r"(?:\.|\[)|(?:os\.)?(?:getenv|environ|getpass|input|next|unquote|str|len|bool|[a-z]\w*_(?:password|secret|token)|"
    r"(?:token|read|load|make|new|generate|create|get|fetch|decode|encode|hash|verify)_\w+)[(\[])|[A-Za-z_]\w*\(\)"
    r"|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\(|[a-z_]+\((?:[a-z_]{3,}[,)=.(\[]|\Z)|[A-Z][a-z]+\(\Z|[A-Za-z_]\w*\[\d\]?\Z"
)
_NOTHING = (
    r"(?:None|null|nil|NULL|[Tt]rue|[Ff]alse|undefined|\*+|\.{3}|…|\$\d+|\$\{[^}]*\}|\$\([^)]*\)|\$[A-Za-z_]\w*|%s|"
    r"%\(\w+\)s|\?|:[a-z_]\w*|\{\{.*\}\}|\{\}|<[a-z ._-]+>|<class '[\w.]+'>|\\)"
)
_PROSE = _words(
    "required missing invalid wrong incorrect empty set unset ok yes no none null true false expired str int bytes "
    "bool float any string text object optional secretstr secretbytes hidden unchanged changed not-set varchar "
    "boolean passed failed error skipped done"
)
# A password after its name without a separator: English words have no digits among their letters.
_MIXED_WORD = (
    r"(?P<secret>(?=[^\s'\"(=<>]*\d)(?=[^\s'\"(=<>]*[A-Za-z])(?![-(]|v?\d)"
    r"(?!\w*&\#)[^\s'\",;:()<>=]{6,})(?![(=])"
)
_SQL_TYPE = r"(?i)(?:varchar|character varying|char|text|bytea|boolean|integer|bigint|uuid)(?: ?\(\d+\))?"
_TAGS = r"(?:[!&][\w!.-]*[ \t]+)+"
_REPR = r"<[A-Z]\w*[ :(](?P<secret>[^<>\n]+)>"
_DOLLARS = r"(?s)\$(?P<tag>\w*)\$(?P<secret>.*?)(?:\$(?P=tag)\$|\Z)"
_BLOCK = r"[|>][+-]?\d?[ \t]*\n(?P<secret>(?:[ \t]+[^\n]*(?:\n|\Z))+)"
_HEADER = r"(?:(?:Bearer|Basic|Digest|Token|ApiKey|Negotiate|AWS4-HMAC-SHA256)[ \t]+)?(?P<secret>[^\n\r\"'<>]+)"


def _named(text: str, lower: str, columns: List[Span]) -> Iterator[Span]:
    """Yield the spans of values that follow the names of secrets; add those below them in tables to `columns`."""
    beyond = [0] * len(MARKS)  # the next position of each mark; -1 for none
    done = 0
    looked_at = 0  # the end of the last line, or table, that was looked at
    while True:
        for number, mark in enumerate(MARKS):
            if done == 0 or -1 < beyond[number] < done:
                beyond[number] = lower.find(mark, done)
        following = [place for place in beyond if place != -1]
        if not following:
            return
        at = min(following)
        left = _LEFT.search(text, max(0, done, at - _NAME_AT_MOST), at)
        right = _RIGHT.match(text, at, at + _NAME_AT_MOST)
        assert left is not None  # the pattern matches an empty text
        assert right is not None
        start, done = left.start(), right.end()
        if names_a_secret(text[start:done]) or _in_a_query(text, start, text[start:done]):
            if start >= looked_at:
                table, looked_at = table_of(text, start, done)
                if table is not None:
                    columns += _values_of(text, table)
                    if table.head_end >= done:
                        done = table.head_end
                        continue
            for span in _after(text, start, done):
                yield span
                done = max(done, span[1])


def _values_of(text: str, table: Table) -> Iterator[Span]:
    for cell in table.cells:
        value = text[cell.start : cell.end]
        if _may_be_a_value(value, cell.name) and not is_a_count(cell.name, value):
            yield cell.start, cell.end


def _in_a_query(text: str, start: int, name: str) -> bool:
    """Return whether a name is that of a URL parameter that is a secret only there, such as `key` or `sig`."""
    return text[start - 1 : start] in ("?", "&") and name.lower() in ("key", "sig", "signature", "auth", "apikey")


def _after(text: str, start: int, end: int) -> Iterator[Span]:
    name = text[start:end]
    if text[start - 1 : start] == "<" or re.search(r"<\w+:\Z", text[max(0, start - 20) : start]):
        inner = _compiled(_XML).match(text, end)
        if inner is not None:
            yield inner.span("secret")
            return
    keyed = _compiled(_XML_KEY).match(text, end)
    if keyed is not None and re.search(_WHOLE_ATTRIBUTE, text[max(0, start - _NAME_AT_MOST) : start]):
        yield keyed.span("secret")
        return
    if re.search(_NAMED_AS, text[max(0, start - 30) : start]):
        other = _compiled(_VALUE_OF).match(text, end)
        if other is not None:
            yield from _value(text, other.end(), name, "equals")
            return
    if text[start - 1 : start] in _QUOTES:
        begins = max(0, start - _NAME_AT_MOST * 3)
        earlier = _compiled(_VALUE_BEFORE).search(text[begins:start])
        if earlier is not None:
            yield begins + earlier.start("secret"), begins + earlier.end("secret")
            return
    nested = _compiled(_NESTED).match(text, end)
    if nested is not None:
        yield from _value(text, nested.end(), name, "equals")
        return
    if text[end : end + 1] == "," or text[max(0, start - 9) : start].rstrip(" \t").endswith(","):  # several names
        names = _compiled(_NAMES_BEFORE).search(text[max(0, start - 4 * _NAME_AT_MOST) : start])
        together = _compiled(_TOGETHER).match(text, end) if names is not None else None
        if together is not None:  # all values are masked, not only the password's
            yield together.span("secret")
            return
    said = _said_of(text, start, end)
    if said is not None:
        yield said
        return
    otherwise = _compiled(_GIVEN_OTHERWISE).match(text, end) if text[start - 1 : start] in _QUOTES else None
    if otherwise is not None:
        yield from _quoted(text, otherwise.end())
        return
    link = _compiled(_LINK).match(text, end)
    if link is not None:
        yield from _linked(text, start, name, link)


def _said_of(text: str, start: int, end: int) -> Optional[Span]:
    """Return the span of the value next to a name in a table, or in an error of pydantic or Postgres; or None."""
    if text[start - 1 : start] == "(":
        shown = _compiled(_OF_A_KEY).match(text, end)
    elif re.search(rf"{_BAR}[ \t]+\Z", text[max(0, start - 20) : start]):
        shown = _compiled(_CELL).match(text, end)
        if shown is not None and not _may_be_a_value(shown["secret"], text[start:end]):
            return None
    else:
        shown = _compiled(_VALIDATED).match(text, end)
    return None if shown is None else shown.span("secret")


def _linked(text: str, start: int, name: str, link: Match[str]) -> Iterator[Span]:
    kind, at = str(link.lastgroup), link.end()
    if link["bracket"] and not link["close"]:
        return  # the name is that of a key, not of its value
    if not link["close"] and text[at - 1] in ":=" and text[start - 1 : start] == text[at : at + 1] in _QUOTES:
        return  # the end of a quoted `'password:'`
    if link["colon"] and re.search(r"\b(?:if|elif|while|not)\s\Z", text[max(0, start - 10) : start]):
        return  # a condition
    if text[at : at + 1] in _QUOTES and _ends_a_tag(text, start, at):
        return
    if name.lower().endswith("cookie") and kind != "colon":
        return  # only in a header line, `Cookie: ...`
    option = name.startswith("-") and not name.startswith("---")
    if kind == "comma":
        if link["close"] is None:
            return
        before = text[max(0, start - 3) : start].rstrip("\"'bBuU")[-1:]
        if option or before == "(":
            yield from _quoted(text, at)
        elif before == "[":
            yield from (span for span in _quoted(text, at) if text[span[1] + 1 : span[1] + 2] == "]")
    elif kind == "blank" and option:
        is_explained = len(link.group()) > 1 and not text[text.rfind("\n", 0, start) + 1 : start].strip()
        if text[at : at + 1] not in ("-", "") and not is_explained:
            yield from _shell_word(text, at)
    elif kind in ("blank", "is"):
        if name.lower() == "pass" or text[max(0, start - 11) : start].lower().endswith("unexpected "):
            return
        yield from _quoted(text, at)
        found = _compiled(_DOLLARS).match(text, at)
        if found is None:
            found = _compiled(_MIXED_WORD).match(text, at)
        if found is not None:
            yield found.span("secret")
    elif not (kind == "colon" and name.lower().startswith("test")):
        yield from _value(text, at, name, kind)


def _ends_a_tag(text: str, start: int, at: int) -> bool:
    """Return whether a quote ends the attribute in which a name is, and the tag."""
    begins = max(0, start - _ATTRIBUTE_AT_MOST)
    is_within = text.rfind("<", begins, start) > text.rfind(">", begins, start)
    return is_within and _compiled(r"[\"']\s*/?>").match(text, at) is not None


def _value(text: str, at: int, name: str, kind: str) -> Iterator[Span]:
    """Yield the span of a value: within its quotes or brackets, or up to its end."""
    tags = _compiled(_TAGS).match(text, at) if kind == "colon" else None  # YAML tags
    at = tags.end() if tags is not None else at
    another = _compiled(_WITH_ANOTHER).match(text, at)
    if another is not None:
        yield another.span("secret")
        return
    alternative = _compiled(_OR_ANOTHER).match(text, at)
    at = alternative.end() if alternative is not None else at
    quoted = list(_quoted(text, at, name))
    if quoted:
        yield from quoted
        return
    if name.lower().endswith(("authorization", "cookie")) and kind in ("colon", "equals"):
        header = _compiled(_HEADER, re.I).match(text, at)
        if header is not None and not re.match(r"\{[a-z_][\w.]*\}", header["secret"]):
            yield header.span("secret")
        return
    shown = _compiled(_REPR).match(text, at)
    if shown is not None:
        yield shown.span("secret")
        return
    first = text[at : at + 1]
    if first == "$" and text[at : at + 80].count("$") > 1:
        dollars = _compiled(_DOLLARS).match(text, at)
        if dollars is not None and dollars["secret"]:
            yield dollars.span("secret")
            return
    if first in ("|", ">") and kind == "colon":
        block = _compiled(_BLOCK).match(text, at)
        if block is not None:
            yield block.span("secret")
            return
    if first and first in "[({":
        yield from _bracketed(text, at, name)
        return
    yield from _bare(text, at, name, kind)


def _quoted(text: str, at: int, name: str = "") -> Iterator[Span]:
    wrapped = _compiled(_WRAPPED).match(text, at)
    if wrapped is not None and not _compiled(_WRAPPER).fullmatch(wrapped.group()):
        yield at, at
        return
    at = wrapped.end() if wrapped is not None else at
    opening = _compiled(_OPEN_QUOTE).match(text, at)
    if opening is None:
        return
    quote, start = opening["quote"], opening.end()
    if quote in _CLOSING:
        closing = _compiled(_CLOSING[quote]).match(text, start)
        end = closing.end() if closing is not None else len(text)
        end -= text[start:end].endswith(quote)
    else:
        end = text.find(quote, start)
        end = end if end != -1 else _end_of_line(text, start)
    if name == text[start:end]:
        yield start, start
    elif not _compiled(_NOTHING).fullmatch(text, start, end) and re.search(r"\w", text[start:end]):
        yield start, end
    else:
        yield start, start  # quoted, but nothing to mask


_BRACKETS_AT_MOST = 2000  # characters between brackets


def _bracketed(text: str, at: int, name: str) -> Iterator[Span]:
    end, depth, closing = at, 0, {"[": "]", "(": ")", "{": "}"}[text[at]]
    for end in range(at, min(len(text), at + _BRACKETS_AT_MOST)):
        depth += (text[end] == text[at]) - (text[end] == closing)
        if depth == 0:
            break
    inside = text[at + 1 : end]
    if text[at] == "{" and (re.search(r"[\"']type[\"']\s*:", inside) or _names_a_variable(inside)):
        return
    if text[at] == "(" and not re.search(_Q, inside):
        return
    if re.search(r"[A-Za-z]" if name.lower().endswith("tokens") else r"\w", inside):
        yield at + 1, end


def _names_a_variable(inside: str) -> bool:
    """Return whether braces contain a variable's name, as in a format string, instead of a value."""
    return (inside.isidentifier() and inside.islower() and names_a_secret(inside)) or bool(
        re.match(r"[a-z_]\w*(?:\.\w+)+(?:![rsa])?\Z", inside)
    )


def _bare(text: str, at: int, name: str, kind: str) -> Iterator[Span]:
    if re.match(r"[A-Za-z][\w+.-]*:(?://|\\/)", text[at : at + 40]):
        return  # a URL: `_in_urls` finds its password
    nothing = _compiled(_NOTHING).match(text, at)
    if nothing is not None and text[nothing.end() : nothing.end() + 1] in _BLANK_OR_STOP:
        return
    end = _end_of_bare(text, at)
    value = text[at:end]
    if name.lower().endswith(("token", "tokens")) and value.isdigit() and len(value) < 4:
        return
    if _is_a_reference(name, value, kind):
        return
    if name in ("PWD", "OLDPWD") and value.startswith("/") and text[at - len(name) - 2 : at - len(name) - 1] != ";":
        return  # the shell's working directory
    if (kind == "typed" or (kind == "colon" and text[at - 1 : at] in " \t")) and _is_type_or_prose(text, at, end):
        return
    if value.lower() in _PROSE and kind == "colon":
        return
    if re.search(r"\w", value):
        yield at, end


def _is_a_reference(name: str, value: str, kind: str) -> bool:
    """Return whether a value is code that refers to the secret, instead of the secret itself."""
    if value == name or value.startswith((name + ".", name + "[", name + "(")) or _compiled(_REFERENCE).match(value):
        return True
    last = value.rpartition(".")[2]
    return "." in value and last.isidentifier() and (last == name or (kind == "equals" and names_a_secret(last)))


def _is_type_or_prose(text: str, at: int, end: int) -> bool:
    is_a_type = re.match(_TYPE + r"(?:(?<=\])|\s*(?:=|\Z|\n|,|\)|<|[\"']\s*/?>))", text[at : at + 120]) is not None
    return is_a_type or _compiled(_ALONE).match(text, end) is None


def _end_of_bare(text: str, at: int) -> int:
    """Return the end of a value without quotes: it may contain any sign, but not a following key."""
    for end in range(at, len(text)):
        letter = text[end]
        if letter.isspace() or (letter == "<" and _compiled(_HTML, re.I).match(text, end)):
            return end
        if letter in _STOPS:
            following = text[end + 1 : end + 2]
            if not following or following.isspace() or following in _STOPS:
                return end
            if _compiled(_NEXT_KEY).match(text, end):
                return end
        elif letter == "\\" and _compiled(_ESCAPED_BLANK).match(text, end):
            return end
    return len(text)


def _shell_word(text: str, at: int) -> Iterator[Span]:
    quoted = list(_quoted(text, at))
    if quoted:
        yield from quoted
        return
    word = _compiled(_SHELL_WORD).match(text, at)
    if word is not None and not _compiled(_NOTHING).fullmatch(word.group()):
        yield word.span()


def _end_of_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return end if end != -1 else len(text)


# --- in URLs ---------------------------------------------------------------------------------------------------------

_SCHEME = re.compile(r"[A-Za-z][\w+.-]*\Z")
_SLASHES = "://"
_USER = r"[^\s:/?#@'\"<>\\]*"
_OF_WEB = re.compile(r"(?i)^(?:[\w.]+\+)?(?:https?|wss?|s?ftp|ssh|git|file|ldaps?|smtps?|imaps?|s3|gs)$")
_ENDING_QUOTE = r"['\"](?![,)\]}:;\s]|\Z)"
_PORT = rf"(?:\d{{1,5}}(?=[/?#'\",)\]>}}\s\\]|{_ENTITY}|\Z)|[\d*?\[\]!-]+(?=[/'\"\s]|\Z))"
_PLAIN = r"(?!\d{1,5}&(?:amp;)*(?:quot|apos|\#3[49]|\#[xX]2[27]);)[^\s/?#@'\"<>]{0,1000}@"
_ODD = rf"(?:[^\s@<>'\"]|{_ENDING_QUOTE}){{0,500}}@"
_WITH_BLANKS = rf"(?:[^\n@<>'\"]|{_ENDING_QUOTE}){{1,200}}?@(?=[\w.\[-]+(?::\d|[/'\"\s,)]|\Z))"
_MORE = r"[^\s'\"<>?,;&]*(?<!/)@(?=[\w.\[%-])"
_MORE_OF_WEB = r"[^\s'\"<>?,;&/]*@(?=[\w.\[%-])"
_UNUSED = r"(?!\d+(?:\W|\Z))[^\s/?#@'\"<>,;)\]}\\]+(?=[/?#]|\Z|['\"\s])"
_TEMPLATE = re.compile(r"[{$<]|%[(sd]|\*{3}")
_USER_IS_THE_SECRET = re.compile(r"(?i)^(?:rediss?|valkeys?|nats)$")
_LONG_AND_MIXED = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w.~-]{16,}$")


def _in_urls(text: str) -> Iterator[Span]:
    """Yield the spans of passwords in URLs, even of those that should have been percent-encoded."""
    for slashes in _compiled(_SLASHES).finditer(text):
        scheme = _SCHEME.search(text, max(0, slashes.start() - 40), slashes.start())
        if scheme is not None:
            yield from _in_url(text, scheme.group(), slashes.end())


def _in_url(text: str, scheme: str, at: int) -> Iterator[Span]:
    user = _compiled(_USER).match(text, at)
    assert user is not None  # the pattern matches an empty text
    after, end = text[user.end() : user.end() + 1], user.end()
    web = _OF_WEB.match(scheme) is not None
    if after == "@" and (_USER_IS_THE_SECRET.match(scheme) or (web and _LONG_AND_MIXED.match(user.group()))):
        yield user.span()
    if after != ":":
        return
    at = end + 1
    if web and _LONG_AND_MIXED.match(user.group()) and "@" in text[at : at + 60]:
        yield user.span()  # a token as the user name
    if _TEMPLATE.match(text, at):
        return
    found = _compiled(_PLAIN).match(text, at)
    if found is None and not (_compiled(_PORT).match(text, at) and (web or not _is_within(text, at))):
        found = _compiled(_ODD).match(text, at) or (None if web else _blank(text, at))
    if found is not None:
        more = _compiled(_MORE_OF_WEB if web else _MORE).match(text, found.end())
        yield at, (more or found).end() - 1
    elif not web and not scheme.lower().startswith("sqlite") and not _compiled(_PORT).match(text, at):
        unused = _compiled(_UNUSED).match(text, at)
        if unused is not None and unused.group().lower() != "port" and not unused.group().endswith("&"):
            yield unused.span()


def _is_within(text: str, at: int) -> bool:
    """Return whether digits that look like a port start a password with an unescaped slash."""
    return _compiled(r"\d+/[^\s?@'\"<>]*@").match(text, at) is not None


def _blank(text: str, at: int) -> Optional[Match[str]]:
    found = _compiled(_WITH_BLANKS).match(text, at)
    return found if found is not None and "://" not in found.group() else None


# --- by themselves ---------------------------------------------------------------------------------------------------

_BEARER, _BASIC, _COMPARED = ("bearer ", "bearer%20"), ("basic ",), ("' = ", "' == ", "' != ", '" = ', '" == ', '" != ')


def _is_mixed(found: Match[str]) -> bool:
    """Return whether a text is no ordinary word: it contains a digit, a sign, or a capital after the first letter."""
    inner = found["secret"].strip(".-=/")
    return not inner.isalpha() or (inner[1:] != inner[1:].lower())


def _is_credentials(found: Match[str]) -> bool:
    """Return whether a text is `user:password` in base64."""
    try:
        return b":" in a2b_base64(found["secret"])
    except ValueError:
        return False


def _is_compared_with_a_secret(found: Match[str]) -> bool:
    return names_a_secret(found["name"].rpartition(".")[2])


_INSERTED = (
    r"\binsert into\s+[\w.\"`]+\s*\([^()]{0,1000}?(?:password|passwd|secret|token|api_?key)[^()]{0,1000}\)\s*values\s*"
    r"(?P<secret>\([^\n]*[\"'][^\n]*\))"
)
# The parameters that SQLAlchemy adds to an error, if the statement names a column for a secret.
_SAID_WITH_IT = (
    r"\[SQL: (?:insert into|update)\b(?=[^\n]{0,2000}?(?:password|passwd|secret|token|api_?key))[^\n]*\n"
    r"\[parameters: (?P<secret>(?:(?!\[SQL: )[^\n])+)\]"
)

_SET = ("setattr(",)
_OF_DOCKER = ('"auth"', "'auth'")

# These marks are ambiguous: each match is checked.
_CHECKED = {
    _OF_DOCKER: _is_credentials, _SET: _is_compared_with_a_secret,
    _BEARER: _is_mixed, _BASIC: _is_credentials, _COMPARED: _is_compared_with_a_secret,
}

_PATTERNS: Tuple[Tuple[Tuple[str, ...], str, int], ...] = (
    (("private key",), r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?P<secret>.*?)(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
     re.S),
    (("eyj",), r"\b(?P<secret>eyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)*)", 0),
    (("akia", "asia"), r"\b(?P<secret>A(?:KI|SI)A[0-9A-Z]{12,})\b", 0),
    (("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "glpat-", "sk_live", "sk_test", "rk_live", "xox", "aiza",
      "npm_", "pypi-", "hvs.", "sk-"),
     r"\b(?P<secret>(?:gh[posur]_|github_pat_|glpat-|[sr]k_(?:live|test)_|xox[abprs]-|AIza|npm_|pypi-|hvs\.|sk-)"
     r"[\w-]{10,})", 0),
    (_BEARER, r"(?i)\bbearer(?: +|%20)(?P<secret>[\w.~+/=-]{4,})", 0),
    (_COMPARED, r"(?P<quote>[\"'])(?P<secret>[^\"'\n]+)(?P=quote) [!=]?= (?P<name>[\w.()]*[\w])", 0),
    (("url.create",), r"URL\.create\((?:\s*[\"'][^\"'\n]*[\"'],){2}\s*[\"'](?P<secret>[^\"'\n]+)[\"']", 0),
    (_BASIC, r"(?i)\bbasic +(?P<secret>[\w+/-]{8,}={0,2})", 0),
    (("identified",),
     r"(?is)\bidentified\s+(?:with\s+\S+\s+)?(?:by|as)\s+(?:password\s+)?[\"'`](?P<secret>(?:[^'\"`\\]|\\.|'')*)", 0),
    (("identified",), r"(?i)\b(?:user|role)\s+\S+\s+identified\s+by\s+(?P<secret>[^\s'\"`;]+)", 0),
    (("login ",), r"(?i)\blogin\s+\S+\s+password\s+(?P<secret>[^\s'\"`$;]+)", 0),
    ((":",),
     r"(?m)(?:^|(?<=[\s'\"\[]))(?:\[[\da-fA-F:]+\]|[\w.*-]+):(?:\*|\d{2,5}):[\w.*$-]+:[\w.*@$-]+:(?P<secret>(?:[^\s'\"\\:]"
     r"|\\[^nrt\s])[^\s]*?)(?=\s|\Z|['\"]|\\n)", 0),
    (("scram-sha-256$",), r"SCRAM-SHA-256\$(?P<secret>\d+:[^\s'\"]+)", 0),
    (("sessionid=", "sessid=", "connect.sid="),
     r"(?i)\b(?:j?sessionid|phpsessid|connect\.sid)=(?P<secret>[\w%.+/:~-]{6,})", 0),
    (("secretstr(", "secretbytes("),
     r"\bSecret(?:Str|Bytes)\(\s*[bru]?(?P<quote>[\"'])(?P<secret>[^\"'\n]+)(?P=quote)", 0),
    (_SET, r"\bsetattr\([^\n,]{1,80},\s*[\"'](?P<name>\w+)[\"'],\s*[\"'](?P<secret>[^\"'\n]+)[\"']", 0),
    (("pragma ",), r"(?i)\bpragma\s+(?:\w+\.)?(?:hex)?(?:re)?key\s*=\s*[\"']+(?P<secret>[^\"'\n]+)", 0),
    (_OF_DOCKER, r"[\"']auth[\"']\s*:\s*[\"'](?P<secret>[\w+/-]{8,}={0,2})[\"']", 0),
    (("hooks.slack.com",), r"hooks\.slack\.com/services/(?P<secret>[\w/-]+)", 0),
    (("api.telegram.org",), r"api\.telegram\.org/bot(?P<secret>[\w:-]+)", 0),
    (("insert into",), _INSERTED, re.I),
    (("insert into", "update "), _SAID_WITH_IT, re.I),
    (("auth=",), r"\bauth=(?:\w+\()?\(?\s*[\"'][^\"'\n]*[\"'],\s*[\"'](?P<secret>[^\"'\n]+)[\"']", 0),
    (("_auth=",), r"\b_auth=(?P<secret>[^\s\"']+)", 0),
    (("pass:",), r"(?<![\w-])pass:(?P<secret>[^\s'\",)\]]+)", 0),
    (('type="password"', "type='password'"),
     r"type=[\"']password[\"'][^<>]{0,300}?value=[\"'](?P<secret>[^\"'<>]+)", re.I),
    (("@",), r"(?<![\w/:.@-])\w+/(?P<secret>[^\s/@'\"]+)@[\w.-]+:\d{2,5}/\w+", 0),
)

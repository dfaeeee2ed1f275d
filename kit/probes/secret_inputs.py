"""Secrets that a command reads from its input: by a pipe, a here-document, or typed for it. Standard library only.

`echo secret | docker login --password-stdin`, `vault login - <<< secret`, `run(["sudo", "-S", "ls"], input="secret")`,
`child.expect("assword:"); child.sendline("secret")`. What is written is a secret if the command that reads it says so.
"""

from __future__ import annotations

from typing import Iterator, Tuple

from .own import own_builtins as __builtins__  # noqa: F401
from .own import re

Span = Tuple[int, int]

# What says that a command reads a secret from its input.
_READS = re.compile(
    r"(?i)(?<![\w-])--?[\w-]*(?:pass(?:word|wd|phrase)?|pwd|token|secret|key|pin|credentials?)[\w-]*"
    r"(?:-stdin\b|[-\s=:](?:stdin\b|fd[\s=:]*\d|/dev/(?:stdin|fd/\d)|-(?=[\s'\")]|\Z)))"
    r"|(?<![\w-])--with-token\b|\bpasswd\b[^\n|;]{0,100}\s--stdin\b"
    r"|\bsudo\b(?:\s+-[A-Za-z]+)*\s+-[A-Za-z]*S\b|\b(?:chpasswd|kinit|cryptsetup|mkpasswd|ansible-vault)\b"
    r"|\b(?:smbpasswd|mkpasswd)\b[^\n|;]{0,100}\s-\w*s\b|\bhtpasswd\b[^\n|;]{0,100}\s-\w*i"
    r"|\bvault\s+login\b[^\n|;]{0,100}\s-(?=\s|\Z)|\bopenssl\s+passwd\b|\bsecret-tool\s+store\b|\bpass\s+insert\b"
    r"|\bkeyring\s+set\b|\bsecrets?\s+(?:create|set|put|add|import|store)\b|\bsu\s+(?:-\s+)?\w+(?=\s|\Z)"
    r"|\bread\b[^\n|;]{0,60}?\w*(?:pass|token|secret|pwd|_key)\w*"
)
_MARKS = (
    "-stdin", "stdin", "-fd", "--with-token", "sudo", "chpasswd", "kinit", "cryptsetup", "mkpasswd", "ansible-vault",
    "smbpasswd", "htpasswd", "vault login", "openssl passwd", "secret-tool", "pass insert", "keyring set", "secret ",
    "secrets ", "/dev/fd", "pass", "token", "key",
)  # fmt: skip
_TEXT = r"(?:'(?P<single>[^'\n]*)'|\"(?P<double>(?:[^\"\\\n]|\\.)*)\"|(?P<bare>[^\s'\"|;&<>()`]+))"
# What writes, up to the first `|`; `printf` may have a format before it.
_WRITERS = re.compile(
    rf"(?:\b(?:echo|print|Write-(?:Output|Host))(?:[ \t]+-[neEr]+)*"
    rf"|\bprintf(?:[ \t]+(?:--|['\"]?%[sbq](?:\\n)?['\"]?))*)"
    rf"[ \t]+\\?{_TEXT}(?P<more>[ \t]+[^\n|;&]*)?[ \t]*\|(?!\|)(?P<reader>[^\n;]{{0,500}})"
)
_HERE = re.compile(rf"(?P<reader>[^\n|;<]{{0,300}})<<<[ \t]*\\?\$?{_TEXT}(?P<after>[^\n;]{{0,200}})")
_DOCUMENT = re.compile(
    r"(?P<reader>[^\n;<]{0,300})<<[-~]?[ \t]*(?P<quote>[\"']?)(?P<end>[A-Za-z_]\w*)(?P=quote)(?P<after>[^\n]{0,300})\n"
    r"(?P<bare>(?:(?![ \t]*(?P=end)[ \t]*(?:\n|\Z))[^\n]*\n){1,50})"
)
_QUOTED_AND_PIPED = re.compile(
    r"(?m)(?:^|[;&(=]|[$>] )[ \t]*(?P<q>['\"])(?P<bare>[^'\"\n]+)(?P=q)[ \t]*\|(?!\|)(?P<reader>[^\n;]{0,500})"
)
_GIVEN = re.compile(
    r"(?P<reader>[^\n]{0,500}?)\b(?:input\s*=\s*|communicate\(\s*(?:input\s*=\s*)?)[bruf]?"
    r"(?P<q>[\"'])(?P<bare>[^\"'\n]+)(?P=q)"
)
_ASKED = re.compile(
    r"(?i)\bexpect\w*\b[^\n]{0,60}(?:assword|assphrase|passcode|\bPIN)\b[^\n]{0,60}(?:\n[^\n]{0,20}){0,1}?"
    r"\bsend(?:line)?(?:\(\s*[bru]?|[ \t]+(?:--[ \t]+)?)"
    r"(?P<q>[\"'])(?P<bare>[^\"'\n]+?)(?:\\[rn])*(?P=q)"
)
_FORMS = (
    ("|", _WRITERS), ("<<<", _HERE), ("<<", _DOCUMENT), ("|", _QUOTED_AND_PIPED), ("input", _GIVEN),
    ("communicate(", _GIVEN),
)  # fmt: skip
_BETWEEN = re.compile(r"[\"'],\s*[bru]?[\"']|[\"']\s*[\])]")  # the arguments of a list
_NOTHING = re.compile(r"[\s$`{<%*(]|\\?\$|[yYnN]\Z|yes\Z|no\Z")


def in_inputs(text: str, lower: str) -> Iterator[Span]:
    """Yield the (start, end) of each secret that is written to a command; `lower` is the text in lower case."""
    if "send" in lower and any(mark in lower for mark in ("assword", "assphrase", "passcode", "pin")):
        for asked in _ASKED.finditer(text):
            yield asked.span("bare")
    if not any(sign in text for sign, _ in _FORMS) or not any(mark in lower for mark in _MARKS):
        return
    for sign, form in _FORMS:
        at = text.find(sign)
        while at != -1:
            start = text.rfind("\n", max(0, at - 2000), at) + 1
            end = text.find("\n", at)
            end = end if end != -1 else len(text)
            if end - start <= 4000:
                stop = min(len(text), end + 4000) if form is _DOCUMENT else end
                yield from _written(form, text, start, stop)
            at = text.find(sign, end)


def _written(form: "re.Pattern[str]", text: str, start: int, end: int) -> Iterator[Span]:
    for found in form.finditer(text, start, end):
        groups = found.groupdict()
        reader = _BETWEEN.sub(" ", f"{groups['reader']} {groups.get('after') or ''}")
        if _READS.search(reader) is None:
            continue
        place = next(found.span(one) for one in ("single", "double", "bare") if groups.get(one))
        if not _NOTHING.match(text[slice(*place)]):
            yield place

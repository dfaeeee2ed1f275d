"""The names that secrets have: variables, parameters, keys, options, headers. Standard library only."""

from __future__ import annotations

from typing import FrozenSet, List

from .own import functools, re
from .own import own_builtins as __builtins__  # noqa: F401

MARKS = (
    "pass", "pwd", "pw", "secret", "token", "key", "auth", "cred", "cookie", "sig", "kennwort", "contrase",
    "senha", "wachtwoord",
)  # fmt: skip
"""Every name of a secret has one of these in it, in small letters."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # of snake_case, kebab-case and camelCase, without digits


def words(text: str) -> FrozenSet[str]:
    """Split a text into a set of words."""
    return frozenset(text.split())


_WORDS = words(
    "pass passwd passwds password passwords passphrase passphrases passcode pwd pwds pw secret secrets token "
    "tokens credential credentials cred creds bindpw rootpw authorization apikey apikeys passwort kennwort passe senha "
    "wachtwoord"
)
_ENDS = (
    "password", "passwords", "passwd", "pwd", "passphrase", "secret", "apikey", "secretkey", "accesskey", "privatekey",
    "accountkey", "authtoken", "accesstoken", "refreshtoken", "idtoken", "csrftoken", "authkey", "masterkey",
)
_NO_PASS = ("bypass", "compass", "trespass", "surpass", "overpass", "underpass", "encompass", "onepass", "twopass")
_KEYS = words(
    "secret api access private encryption encrypt signing sign auth master account shared sharedaccess license session "
    "storage consumer ssh client deploy webhook fernet jwt hmac aes rsa subscription service "
    "app server db database django flask stripe openai anthropic sendgrid mailgun twilio google azure aws gcp github "
    "gitlab slack sentry datadog cloudflare algolia firebase crypto cipher hashing csrf token cookie"
)
# The last words of names for facts about a secret, not for the secret itself.
_ABOUT = words(
    "file files path paths dir dirs directory folder type types url urls uri uris name names field fields length len "
    "min max count number size policy hasher hashers header headers prefix suffix regex pattern validator validators "
    "validate form forms view template module class scheme schemes algorithm algorithms manager provider backend "
    "factory store location endpoint expire expires expired expiry expiration ttl lifetime minutes seconds hours days "
    "timeout reset required enabled disabled changed error errors callback getter func function generator generate "
    "limit budget usage env var variable variables prompt hint label placeholder encryption command history help "
    "context bearer request response authentication auth required strength rules rotation version id ids issuer "
    "audience age attempts attempt attr attribute column columns complexity check checker choices source sources "
    "verify verifier verified valid set unset missing present used tests test error serializer schema model models "
    "exception dependency middleware"
)
_COUNTED = words("max min num n total prompt completion input output new stop special number pad unk")


@functools.lru_cache(maxsize=4096)
def names_a_secret(name: str) -> bool:
    """Return whether a name is that of a secret: `DB_PASS`, `sslpassword`, `apiKey`; not `password_file`, `key`."""
    lower = name.lower()
    if not any(mark in lower for mark in MARKS):
        return False
    if lower in ("cookie", "set-cookie"):
        return True
    parts = [part.lower() for part in _PARTS.findall(name)]
    if not parts:
        return False
    if parts[-1] == "tokens" and len(parts) > 1 and (parts[-2] in _COUNTED or "per" in parts):
        return False
    if len(parts) > 1 and parts[-1] in _LAST:
        return True
    if len(parts) > 1 and parts[-1] in _ABOUT:
        return False
    return any(map(_is_a_word, parts)) or _is_a_key(parts)


_LAST = frozenset({"auth", "authorization", "signature", "sig"})


def _is_a_word(part: str) -> bool:
    if part in _WORDS or part.endswith(_ENDS):
        return True
    return part.startswith("contrase") or (part.endswith("pass") and not part.endswith(_NO_PASS))


def _is_a_key(parts: List[str]) -> bool:
    return any(part in ("key", "keys") and before in _KEYS for before, part in zip(["", *parts], parts))

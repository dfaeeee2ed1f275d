"""Encryption for texts in files and messages that may contain a password.

The key is only in environment variables, so that the files of a killed run cannot be read.
"""

from __future__ import annotations

from typing import Any

from .own import os
from .own import own_builtins as __builtins__  # noqa: F401

_NONCE_BYTES = 16


def new_key() -> str:
    """Return a new random key, as hexadecimal digits."""
    return os.urandom(32).hex()


class Seal:
    """Encrypts and decrypts texts, each with a key stream of its own (shake_256 of the key and a nonce)."""

    def __init__(self, key: str) -> None:
        from hashlib import shake_256

        self.key, self._key, self._stream = key, bytes.fromhex(key), shake_256

    def sealed(self, text: str) -> str:
        """Return the encrypted text as hexadecimal digits, without a line end."""
        nonce = os.urandom(_NONCE_BYTES)
        return (nonce + self._mixed(nonce, text.encode("utf-8", "surrogatepass"))).hex()

    def opened(self, line: str) -> str:
        """Return the decrypted text. Raises ValueError if it was not encrypted with this key, as far as that shows."""
        data = bytes.fromhex(line)
        return self._mixed(data[:_NONCE_BYTES], data[_NONCE_BYTES:]).decode("utf-8", "surrogatepass")

    def _mixed(self, nonce: bytes, data: bytes) -> bytes:
        stream: Any = self._stream(self._key + nonce).digest(len(data))
        return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")

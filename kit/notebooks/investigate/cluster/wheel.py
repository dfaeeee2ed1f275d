"""The code of this kit as a wheel: the same bytes for the same code, so that its hash names it."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import kit

_NAME = "fastapi_database_isolation_kit"
_TAG = "py3-none-any"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first date of a zip file; a real one would change the hash


def wheel() -> bytes:
    """Return the wheel. It has no dependencies: they must be in the environment where it is used."""
    info = f"{_NAME}-{kit.__version__}.dist-info"
    files = dict(_code())
    about = ["Metadata-Version: 2.1", f"Name: {_NAME.replace('_', '-')}", f"Version: {kit.__version__}", ""]
    built = ["Wheel-Version: 1.0", "Generator: kit", "Root-Is-Purelib: true", f"Tag: {_TAG}", ""]
    files[f"{info}/METADATA"] = "\n".join(about).encode()
    files[f"{info}/WHEEL"] = "\n".join(built).encode()
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _LONG_AGO)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _code() -> Iterator[tuple[str, bytes]]:
    package = Path(kit.__file__).parent
    for path in sorted(package.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"kit/{path.relative_to(package).as_posix()}", path.read_bytes()


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

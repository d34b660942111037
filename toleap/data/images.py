"""Pictures that a data set keeps inside its rows: decoded once into the cache, under the digest of their bytes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path

from toleap.data import cache
from toleap.errors import UsageError
from toleap.types import Attachment

MAX_BYTES = 32 << 20

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".avif"})
"""What files are called that a model must see, rather than read."""

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", 0, "png"),
    (b"\xff\xd8\xff", 0, "jpg"),
    (b"GIF87a", 0, "gif"),
    (b"GIF89a", 0, "gif"),
    (b"WEBP", 8, "webp"),
    (b"ftypavif", 4, "avif"),
    (b"BM", 0, "bmp"),
)


def is_picture(path: Path) -> bool:
    """Whether a file is one that a model must see, going by its name."""
    return path.suffix.lower() in SUFFIXES


def image_attachment(text: str, where: str, folder: Path) -> Attachment:
    """The picture of a data URI as a file in ``folder``; its type is what its bytes are, whatever the URI says.

    Raises:
        UsageError: it is no base64 data URI, larger than 32 MiB, or none of png, jpg, gif, webp, avif, bmp.
    """
    head, comma, body = text.partition(",")
    if not (comma and head.startswith("data:") and head.endswith(";base64")):
        raise UsageError(f"{where}: the picture is not a base64 data URI")
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise UsageError(f"{where}: the picture is larger than {MAX_BYTES >> 20} MiB")
    try:
        content = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UsageError(f"{where}: the picture is not base64") from error
    kind = _kind(content)
    if kind is None:
        raise UsageError(f"{where}: the picture is none of {', '.join(dict.fromkeys(name for *_, name in _MAGIC))}")
    path = folder / f"{hashlib.sha256(content).hexdigest()}.{kind}"
    if not path.is_file() or path.stat().st_size != len(content):
        with cache.writing(path) as temporary:
            temporary.write_bytes(content)
    return Attachment(f"image.{kind}", path)


def _kind(content: bytes) -> str | None:
    return next((name for magic, at, name in _MAGIC if content.startswith(magic, at)), None)

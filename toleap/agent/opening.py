"""The messages that an attempt begins with."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

from toleap.types import Message


def opening_messages(system: str, prompt: str, pictures: Sequence[Path] = ()) -> tuple[Message, ...]:
    """The system's and the user's message; pictures stand behind the text, for a model that sees."""
    parts = [{"type": "image_url", "image_url": {"url": _data_url(picture)}} for picture in pictures]
    content = [{"type": "text", "text": prompt}, *parts] if parts else prompt
    return {"role": "system", "content": system}, {"role": "user", "content": content}


def _data_url(picture: Path) -> str:
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"

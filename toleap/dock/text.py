"""Text for a model: from bytes in whatever encoding, cut to a length, brought onto one line."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_COMMON_CHINESE = 0.7
_RARE = frozenset([b"", *(bytes([lead]) for lead in range(0xD8, 0x100))])


def decoded(data: bytes, charset: str | None = None) -> str:
    """The text of ``data``; never fails. ``charset`` is what the sender claims.

    Tried in order: a byte order mark, the claim, UTF-8, GB18030 and, since every byte is a character there, Latin-1.
    A character that is cut off at the end is dropped.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _partial(data, encoding, "replace")
    for claim in (charset or "utf-8", "utf-8"):
        try:
            if _is_text_encoding(claim):
                return _partial(data, claim, "strict")
        except UnicodeError:
            continue
    chinese = _chinese(data)
    return data.decode("latin-1") if chinese is None else chinese


def _partial(data: bytes, encoding: str, errors: str) -> str:
    return codecs.getincrementaldecoder(encoding)(errors).decode(data)


def _is_text_encoding(name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


def _chinese(data: bytes) -> str | None:
    """The text if it is really GB18030: nearly any accented Latin-1 text decodes as Chinese too.

    What tells them apart: accented small letters make lead bytes of GB 2312's rare characters (its second level, from
    D8 on), while Chinese text is nearly all punctuation and first level.
    """
    try:
        text = _partial(data, "gb18030", "strict")
    except UnicodeError:
        return None
    beyond = [character for character in text if not character.isascii()]
    common = sum(1 for character in beyond if character.encode("gb2312", "ignore")[:1] not in _RARE)
    return text if common >= _COMMON_CHINESE * len(beyond) else None


def cut(text: str, limit: int, *, more: bool = False) -> tuple[str, bool]:
    """At most ``limit`` characters of the text, with a mark where it was cut; and whether it was.

    ``more``: there was more of it already before.
    """
    if len(text) <= limit and not more:
        return text, False
    return f"{text[:limit]}\n[cut: only the first {limit} characters are shown]", True


def one_line(text: str) -> str:
    """The text with every run of white space made one space: a title or address that ends a line cannot forge one."""
    return " ".join(text.split())

"""Text for a model: from bytes in whatever encoding, cut to a length, brought onto one line."""

from __future__ import annotations

import codecs
import re

import webencodings  # type: ignore[import-untyped]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDER = {"shift_jis": "cp932", "euc-kr": "cp949", "big5": "cp950", "gbk": "gb18030", "iso-8859-8-i": "iso-8859-8"}
"""Encodings by the Encoding standard's names, and codecs that read all of what everybody means by them."""
_DECLARED = re.compile(
    rb"<\?xml[^>]{0,200}\bencoding\s*=\s*[\"']?([\w.:-]{1,40})|<meta[^>]{0,400}\bcharset\s*=\s*[\"']?\s*([\w.:-]{1,40})",
    re.IGNORECASE,
)
_HEAD = 4_096
_SAMPLE = 65_536
_FEW = 0.1
"""The part of what is not ASCII that may be broken in an encoding that is still taken for the right one."""
_COMMON_CHINESE = 0.7
_RARE = frozenset([b"", *(bytes([lead]) for lead in range(0xD8, 0x100))])


def decoded(data: bytes, charset: str | None = None) -> str:
    """The text of ``data``; never fails. ``charset`` is what the sender claims, under any label of the Encoding
    standard (https://encoding.spec.whatwg.org).

    Tried in order: a byte order mark, plain UTF-8 with characters beyond ASCII, the claim, UTF-8, and what the bytes
    look like. An encoding in which only few characters are broken is kept, with U+FFFD for these; one in which many
    are is no claim to be kept. A character that is cut off at the end is dropped.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _partial(data, encoding)
    if data.isascii() and not _is_wide(charset):
        return data.decode("ascii")
    text, broken = _read(data, "utf-8")
    if not broken and len(text) + 2 < len(data) and not _is_wide(charset):
        return text
    claimed = _codec(charset)
    if claimed is not None:
        claim, torn = _read(data, claimed)
        if torn <= _FEW:
            return claim
    return text if broken <= _FEW else _looks_like(data)


def declared_in(page: bytes) -> str | None:
    """The encoding that a page names in its own first lines; None where it names none."""
    match = _DECLARED.search(page[:_HEAD])
    label = match and (match[1] or match[2])
    # A page that could be searched for ASCII is in none of these, whatever it says.
    named = label.decode("ascii", "replace") if label else None
    return None if _is_wide(named) else named


def _codec(label: str | None) -> str | None:
    """The codec that a label means; None where it means none that gives text."""
    if not label:
        return None
    known = webencodings.lookup(label.strip(" \t\r\n\"'"))
    name = label.strip() if known is None else _WIDER.get(known.name, str(known.codec_info.name))
    try:
        name = codecs.lookup(name).name
        "".encode(name)
        _partial(b"\x80a", name)
    except (LookupError, ValueError, TypeError):
        return None
    return name


def _is_wide(label: str | None) -> bool:
    """Whether a label names an encoding in which ASCII is not ASCII's bytes."""
    return (_codec(label) or "").startswith(("utf-16", "utf-32", "utf_16", "utf_32", "utf-7", "cp037", "cp500"))


def _read(data: bytes, encoding: str) -> tuple[str, float]:
    """The text in an encoding, and which part of what is not ASCII is broken in it."""
    text = _partial(data, encoding)
    broken = text.count("\ufffd")
    if not broken:
        return text, 0.0
    beyond = sum(1 for character in text if character > "\x7f")
    # One broken byte among a handful of characters is no reason to take all of them for others; of UTF-8, which other
    # encodings hardly ever look like, two whole characters say enough.
    return text, 0.0 if broken == 1 and beyond > (2 if encoding == "utf-8" else 4) else broken / max(beyond, 1)


def _partial(data: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("replace").decode(data)


def _looks_like(data: bytes) -> str:
    """The text in the encoding that the bytes look like; in Windows-1252, where all are text, if none fits."""
    chinese = _chinese(data)
    if chinese is not None:
        return chinese
    if sum(byte > 0x7F for byte in data[:_SAMPLE]) >= 12:
        from charset_normalizer import from_bytes

        best = from_bytes(data[:_SAMPLE]).best()
        codec = _codec(best.encoding) if best is not None else None
        if codec is not None:
            text, broken = _read(data, codec)
            if broken <= _FEW:
                return text
    return data.decode("cp1252", "replace")


def _chinese(data: bytes) -> str | None:
    """The text if it is really GB18030: nearly any accented Latin-1 text decodes as Chinese too.

    What tells them apart: accented small letters make lead bytes of GB 2312's rare characters (its second level, from
    D8 on), while Chinese text is nearly all punctuation and first level.
    """
    text, broken = _read(data, "gb18030")
    if broken > _FEW:
        return None
    beyond = [character for character in text if not character.isascii() and character != "\ufffd"]
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

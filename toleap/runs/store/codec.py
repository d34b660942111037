"""Turns and opening messages as compressed bytes with a checksum, and back."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Sequence
from typing import Any

import orjson
import zstandard

from toleap.errors import TornRecord
from toleap.types import CallForm, Ending, ErrorClass, Message, SubCall, ToolCall, ToolResult, Turn, Usage

_local = threading.local()
_LARGEST = 256 * 2**20
_SEALED = b"\x01"
"""The first byte of a record that is a CRC-32 and a zstd frame. Earlier records are the frame alone."""


def pack(value: Any) -> bytes:
    """A JSON-able value as a zstd frame with a checksum over all of it.

    The frame's own checksum is not enough: a bit of its header says whether there is one.
    """
    frame = _compressor().compress(orjson.dumps(value))
    return _SEALED + zlib.crc32(frame).to_bytes(4, "little") + frame


def unpack(blob: bytes) -> Any:
    """What ``pack`` was given.

    Raises:
        TornRecord: the bytes are torn or corrupted.
    """
    frame = _frame(blob)
    try:
        if zstandard.frame_content_size(frame) > _LARGEST:
            raise TornRecord("a stored record is corrupted: it claims to be larger than any can be")
        return orjson.loads(zstandard.ZstdDecompressor().decompress(frame, max_output_size=_LARGEST))
    except (zstandard.ZstdError, orjson.JSONDecodeError) as error:
        raise TornRecord(f"a stored record is corrupted: {error}") from error


def pack_messages(messages: Sequence[Message]) -> bytes:
    """Opening messages as bytes."""
    return pack(list(messages))


def unpack_messages(blob: bytes) -> tuple[Message, ...]:
    """Opening messages from bytes."""
    return tuple(unpack(blob))


def pack_turn(turn: Turn) -> bytes:
    """A turn as bytes."""
    return pack(turn)


def unpack_turn(blob: bytes) -> Turn:
    """A turn from bytes.

    Raises:
        TornRecord: the bytes are torn, corrupted or of another shape.
    """
    raw = unpack(blob)
    try:
        return Turn(
            **{
                **raw,
                "messages": tuple(raw["messages"]),
                "calls": tuple(_call(call) for call in raw["calls"]),
                "results": tuple(_result(result) for result in raw["results"]),
                "usage": Usage(**raw["usage"]),
                "limit": None if raw["limit"] is None else Ending(raw["limit"]),
                "subcalls": tuple(SubCall(**{**call, "usage": Usage(**call["usage"])}) for call in raw["subcalls"])
                if "subcalls" in raw
                else (),
            }
        )
    except (KeyError, TypeError, ValueError) as error:
        raise TornRecord(f"a stored turn has another shape: {error}") from error


def _frame(blob: bytes) -> bytes:
    if blob.startswith(zstandard.FRAME_HEADER):
        return blob
    checksum, frame = blob[1:5], blob[5:]
    if blob[:1] != _SEALED or checksum != zlib.crc32(frame).to_bytes(4, "little"):
        raise TornRecord("a stored record is corrupted: its checksum is another")
    return frame


def _call(raw: dict[str, Any]) -> ToolCall:
    return ToolCall(**{**raw, "form": CallForm(raw.get("form", CallForm.PLAIN))})


def _result(raw: dict[str, Any]) -> ToolResult:
    error = raw.get("error")
    return ToolResult(**{**raw, "error": None if error is None else ErrorClass(error)})


def _compressor() -> zstandard.ZstdCompressor:
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    made: zstandard.ZstdCompressor = _local.compressor
    return made

"""Decryption of published benchmarks: base64, then XOR with a key made from the row's own canary.

``xor`` repeats the canary's UTF-8 bytes (xbench); ``sha256-xor`` repeats their SHA-256 digest (BrowseComp,
BrowseComp-ZH). This keeps text away from crawlers; it is not meant to keep a secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from itertools import cycle
from typing import Literal

Scheme = Literal["xor", "sha256-xor"]

_KEYS: dict[Scheme, Callable[[bytes], bytes]] = {
    "xor": lambda canary: canary,
    "sha256-xor": lambda canary: hashlib.sha256(canary).digest(),
}


def decrypt(ciphertext: str, canary: str, scheme: Scheme) -> str:
    """The plain text of one cell; white space inside the base64 is ignored.

    Raises:
        ValueError: the canary is empty, the cell is not base64, or the result is not UTF-8.
    """
    if not canary:
        raise ValueError("the canary is empty")
    try:
        cipher = base64.b64decode("".join(ciphertext.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
    key = _KEYS[scheme](canary.encode("utf-8"))
    plain = bytes(byte ^ pad for byte, pad in zip(cipher, cycle(key), strict=False))
    try:
        return plain.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("decrypts to bytes that are not UTF-8: wrong canary or scheme") from error

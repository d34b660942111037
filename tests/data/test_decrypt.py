"""Decryption against the published formulas, written here a second time, and against vectors."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.data.decrypt import Scheme, decrypt

SCHEMES: tuple[Scheme, ...] = ("xor", "sha256-xor")
TESTDATA = os.environ.get("TOLEAP_TESTDATA")
PUBLISHED: dict[str, Scheme] = {"xbench": "xor", "browsecomp": "sha256-xor", "browsecomp_zh": "sha256-xor"}

words = st.text(st.characters(exclude_categories=["Cs"]))


def encrypt(plain: str, canary: str, scheme: Scheme) -> str:
    key = canary.encode() if scheme == "xor" else hashlib.sha256(canary.encode()).digest()
    data = plain.encode()
    return base64.b64encode(bytes(byte ^ key[i % len(key)] for i, byte in enumerate(data))).decode()


@given(plain=words, canary=words.filter(bool), scheme=st.sampled_from(SCHEMES))
def test_round_trip(plain: str, canary: str, scheme: Scheme) -> None:
    assert decrypt(encrypt(plain, canary, scheme), canary, scheme) == plain


@given(cipher=st.text() | st.binary().map(lambda data: base64.b64encode(data).decode()), canary=words)
def test_any_cell_decrypts_or_raises_value_error(cipher: str, canary: str) -> None:
    for scheme in SCHEMES:
        try:
            decrypt(cipher, canary, scheme).encode()
        except ValueError as error:
            assert str(error)


@pytest.mark.skipif(TESTDATA is None, reason="TOLEAP_TESTDATA is not set")
def test_vectors_of_the_official_code() -> None:
    vectors = json.loads((Path(TESTDATA or "") / "decrypt_vectors.json").read_text())["vectors"]
    assert len(vectors) == 30
    for vector in vectors:
        plain = decrypt(vector["ciphertext"], vector["canary"], PUBLISHED[vector["scheme"]])
        assert plain == vector["plaintext"]


def test_line_breaks_inside_base64_do_not_matter() -> None:
    cipher = encrypt("a rather long text", "key", "xor")
    assert decrypt(cipher[:8] + "\r\n" + cipher[8:] + "\n", "key", "xor") == "a rather long text"


@pytest.mark.parametrize(
    ("cipher", "canary", "reason"),
    [
        ("QUJD", "", "canary is empty"),
        ("not base64!", "k", "not base64"),
        ("Zürich==", "k", "not base64"),
        ("QUJ", "k", "not base64"),
        (base64.b64encode(b"\xff\xfe").decode(), "\x00", "not UTF-8"),
    ],
)
def test_what_cannot_be_decrypted_says_why(cipher: str, canary: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decrypt(cipher, canary, "xor")

"""Bytes to text: labels as everybody means them, few broken bytes, and no claim that clearly fails."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toleap.dock import parsers
from toleap.dock.decoding import declared_in, decoded

CHINESE = "海胆湾的居民人数在二〇二一年为四千二百一十三人，渡轮每天两班。"
JAPANESE = "港町の人口は四千二百十三人で、フェリーは毎日二便です。髙橋さんは①番です。"
KOREAN = "항구 마을의 주민은 사천이백십삼 명이며 여객선은 매일 두 번 있습니다. 똠방각하"
TAIWAN = "港鎮的居民有四千二百一十三人，渡輪每天兩班。碁銹裏恒粧"
FRENCH = "La ville compte 4 213 habitants ; le « château » coûte 5 € – l’été."
RUSSIAN = "Население посёлка составляет четыре тысячи двести тринадцать человек."


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("iso-8859-1", "cp1252", FRENCH),
        ("latin1", "cp1252", FRENCH),
        ("us-ascii", "cp1252", FRENCH),
        ("ISO-8859-15", "iso-8859-15", "été 5 €"),
        ("shift_jis", "cp932", JAPANESE),
        ("x-sjis", "cp932", JAPANESE),
        ("Windows-31J", "cp932", JAPANESE),
        ("euc-jp", "euc-jp", JAPANESE.replace("髙", "高").replace("①", "1")),
        ("euc-kr", "cp949", KOREAN),
        ("ks_c_5601-1987", "cp949", KOREAN),
        ("big5", "cp950", TAIWAN),
        ("gb2312", "gb18030", CHINESE + "㐀€"),
        ("gbk", "gb18030", CHINESE + "㐀€"),
        ("iso-8859-9", "cp1254", "İstanbul’da ığdır – 5 €"),
        ("tis-620", "cp874", "กรุงเทพ"),
        ("windows-1251", "cp1251", RUSSIAN),
        ("koi8-r", "koi8-r", RUSSIAN),
        ("utf-16le", "utf-16-le", FRENCH),
        ("cp437", "cp437", "Größe ½"),
    ],
)
def test_a_label_means_what_everybody_means_by_it(label: str, codec: str, text: str) -> None:
    assert decoded(text.encode(codec), label) == text
    assert decoded(text.encode(codec), f' "{label.upper()}" ') == text


@pytest.mark.parametrize("label", [None, "utf-8", "iso-10646-nonsense"])
@pytest.mark.parametrize("text", ["naïve café", "Malmö, Århus", "5 € – 7 €"])
def test_one_bad_byte_in_a_text_with_few_others_leaves_it_utf_8(text: str, label: str | None) -> None:
    for bad in (b"\xe9 ", b"\xff"):
        assert decoded(text.encode() + bad + b"end", label) == f"{text}\ufffd{bad[1:].decode()}end"


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "utf-8", CHINESE),
        (None, "utf-8", CHINESE),
        (None, "utf-8", FRENCH * 2),
        ("gbk", "gb18030", CHINESE),
        (None, "gb18030", CHINESE * 2),
        ("shift_jis", "cp932", JAPANESE),
        ("euc-kr", "cp949", KOREAN),
        ("big5", "cp950", TAIWAN),
    ],
)
def test_one_bad_byte_stays_one_bad_character(label: str | None, codec: str, text: str) -> None:
    data = text.encode(codec)
    for place in (0, 12, 24):
        read = decoded(data[:place] + b"\xff" + data[place:], label)
        assert read != text
        assert sum(1 for character in text if character not in read) <= 4
        assert len(read) <= len(text) + 4


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "gb18030", CHINESE * 3),
        ("utf-8", "cp1252", FRENCH),
        ("iso-8859-1", "utf-8", CHINESE),
        ("gbk", "utf-8", CHINESE),
        ("shift_jis", "utf-8", JAPANESE),
        ("windows-1252", "utf-8", RUSSIAN),
        ("no such thing", "utf-8", RUSSIAN),
        ("base64", "utf-8", FRENCH),
        ("utf-8", "cp1251", RUSSIAN * 3),
        (None, "cp1251", RUSSIAN * 3),
        (None, "cp1252", FRENCH),
    ],
)
def test_a_claim_that_clearly_fails_is_no_claim(label: str | None, codec: str, text: str) -> None:
    assert decoded(text.encode(codec), label) == text


@pytest.mark.parametrize(
    ("head", "label"),
    [
        (b'<html><head><meta charset="gbk">', "gbk"),
        (b"<META http-equiv=Content-Type content='text/html; charset=Shift_JIS'>", "Shift_JIS"),
        (b'<?xml version="1.0" encoding="EUC-KR"?><html>', "EUC-KR"),
        (b"<meta charset=utf-16>", None),
        (b"<html>charset=gbk", None),
        (b"", None),
    ],
)
def test_a_page_names_its_encoding(head: bytes, label: str | None) -> None:
    assert declared_in(head) == label


@pytest.mark.parametrize(("label", "codec", "text"), [("gbk", "gb18030", CHINESE), ("Shift_JIS", "cp932", JAPANESE)])
def test_a_page_with_one_bad_byte_is_read_in_the_encoding_it_names(label: str, codec: str, text: str) -> None:
    body = text.encode(codec)
    page = f'<html><head><meta charset="{label}"><title>x</title></head><body><p>'.encode() + body[:8] + b"\xff"
    parsed = parsers.html(page + body[8:] + b"</p></body></html>", 10_000)
    assert text[-12:] in parsed.text
    assert text[-12:] in parsers.html(page + body[8:] + b"</p></body></html>", 10_000, label.lower()).text


@given(st.text(min_size=1), st.sampled_from(["utf-8", "utf-16", "gb18030"]))
def test_what_can_be_written_is_read(text: str, codec: str) -> None:
    data = text.encode(codec, "replace")
    assert decoded(data, codec).replace("\ufeff", "") == data.decode(codec).replace("\ufeff", "")


@given(st.binary(max_size=200), st.none() | st.text(max_size=12) | st.sampled_from(["replacement", "x-user-defined"]))
def test_any_bytes_under_any_label_are_some_text(data: bytes, label: str | None) -> None:
    decoded(data, label).encode("utf-8", "surrogatepass")

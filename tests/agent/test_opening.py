"""How an attempt begins: text, and pictures for models that see."""

from __future__ import annotations

import base64

from toleap.agent.conversation import Conversation, opening_messages


def test_text_alone_is_a_plain_string():
    assert opening_messages("s", "q") == ({"role": "system", "content": "s"}, {"role": "user", "content": "q"})


def test_a_picture_stands_behind_the_text_as_it_is(tmp_path):
    picture = tmp_path / "image.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 300_000)
    opening = opening_messages("s", "q", [picture])
    text, image = opening[1]["content"]
    assert text == {"type": "text", "text": "q"}
    head, _, body = image["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(body) == picture.read_bytes()
    assert Conversation(opening).prompt_tokens() < 2_000

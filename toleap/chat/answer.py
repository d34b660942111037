"""The final answer inside a model's last message."""

from __future__ import annotations

import re

_THINK = re.compile(r"<(/?)think\s*>", re.IGNORECASE | re.ASCII)
_OPEN = re.compile(r"<answer\s*>", re.IGNORECASE | re.ASCII)
_CLOSE = re.compile(r"</answer\s*>", re.IGNORECASE | re.ASCII)
_CUT_CLOSE = re.compile(r"</(?:a(?:n(?:s(?:w(?:er?)?)?)?)?)?\Z", re.IGNORECASE | re.ASCII)


def without_thoughts(text: str) -> str:
    """What is left of a message when its thoughts are taken out.

    A closing tag without an opening one ends a thought that began before the message (chat templates open it in the
    prompt): all before it goes. An opening tag that is never closed starts a thought that was cut off: all after it
    goes.
    """
    kept: list[str] = []
    thinking, position = False, 0
    for tag in _THINK.finditer(text):
        if tag.group(1):
            if not thinking:
                kept.clear()
            thinking, position = False, tag.end()
        elif not thinking:
            kept.append(text[position : tag.start()])
            thinking = True
    if not thinking:
        kept.append(text[position:])
    return "".join(kept)


def extract_answer(text: str | None) -> str | None:
    """The final answer of a last message, stripped, or None where there is none.

    It is the content of the last ``<answer>`` outside the thoughts, which may lack its end tag where the message
    stops; without such a tag it is the whole message without its thoughts.
    """
    visible = without_thoughts(text or "")
    start = None
    for tag in _OPEN.finditer(visible):
        start = tag.end()
    if start is None:
        return visible.strip() or None
    end = _CLOSE.search(visible, start)
    inside = visible[start : end.start()] if end else _CUT_CLOSE.sub("", visible[start:])
    return inside.strip() or None

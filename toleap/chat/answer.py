"""The final answer inside a model's last message."""

from __future__ import annotations

import re

_FLAGS = re.IGNORECASE | re.ASCII
_THINK = re.compile(r"<(/?)think\s*>", _FLAGS)
_TAG = re.compile(r"<\s*(?P<close>[/\\]{1,2})?\s*answer(?:\s+[\w-]+\s*=[^<>]*?)?\s*(?P<void>/)?\s*>", _FLAGS)
_CUT_CLOSE = re.compile(r"</(?:a(?:n(?:s(?:w(?:er?)?)?)?)?)?\Z", _FLAGS)
_QUOTES = {"`": "`", '"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "「": "」"}
_ONLY_DOTS = re.compile(r"[\s.…·]*")
_BETWEEN_TAGS = re.compile(r"[,/&]|and|or|to|und|oder|bis|et|y|和|与|及|或|到")
"""What stands between two tags that are only spoken of."""
_BOX = re.compile(r"\$*\\boxed\s*\{(.*)\}\$*", re.DOTALL)
_BRACES = re.compile(r"(?P<box>\\boxed\s*\{)|\\.|[{}]", re.DOTALL)


def without_thoughts(text: str) -> str:
    """What is left of a message when its thoughts are taken out.

    A closing tag without an opening one ends a thought that began before the message (chat templates open it in the
    prompt): all before it goes. An opening tag that is never closed starts a thought that was cut off: all after it
    goes.
    """
    kept, _ = _parted(text)
    return kept


def extract_answer(text: str | None, *, boxed: bool = False) -> str | None:
    """The final answer of a last message, stripped, or None where there is none.

    It is the content of the last complete pair of ``<answer>`` tags outside the thoughts that holds something. Where
    no pair does, it is what stands behind the last opening tag; without one, with ``boxed``, the content of the last
    ``\\boxed{…}``; else the whole message without its thoughts. With ``boxed``, tags around a box give what is in it.
    A tag in quotes or backticks is only spoken of. Where a message ends with the end of its thoughts, an answer in
    tags before that counts: nothing else was said.
    """
    visible = without_thoughts(text or "")
    if not visible.strip():
        return swallowed_answer(text or "")
    inside, plain = _tagged(visible)
    if boxed and inside is None:
        inside = _last_boxed(visible)
    elif boxed and (box := _BOX.fullmatch(inside or "")) and box[1].strip() == _last_boxed(box[0]):
        inside = box[1].strip()
    return inside or plain.strip() or None


def swallowed_answer(text: str) -> str | None:
    """The answer in tags of a message that ends with the end of its thoughts; None in any other message."""
    visible, before = _parted(text)
    return None if visible.strip() else _tagged(before)[0]


def is_spoken_of(text: str, start: int, end: int) -> bool:
    """Whether a part of a text, a tag or more, stands alone in quotes or backticks."""
    closing = _QUOTES.get(text[max(start - 1, 0) : start])
    return closing is not None and text.startswith(closing, end) and text[max(start - 3, 0) : start] != "```"


def is_tagged(text: str) -> bool:
    """Whether a message gives an answer in ``<answer>`` tags."""
    return _tagged(without_thoughts(text))[0] is not None


def _parted(text: str) -> tuple[str, str]:
    """A message without its thoughts, and what stood before a thought's end that has no beginning."""
    kept: list[str] = []
    before, thinking, position = "", False, 0
    for tag in _THINK.finditer(text):
        if tag.group(1):
            if not thinking:
                before = "".join([*kept, text[position : tag.start()]])
                kept.clear()
            thinking, position = False, tag.end()
        elif not thinking:
            kept.append(text[position : tag.start()])
            thinking = True
    if not thinking:
        kept.append(text[position:])
    return "".join(kept), before


def _tagged(text: str) -> tuple[str | None, str]:
    """The answer in tags, None where there is none, and the text without tags."""
    tags = [tag for tag in _TAG.finditer(text) if not is_spoken_of(text, *tag.span())]
    last_close = max((tag.start() for tag in tags if _closes(tag)), default=-1)
    answer, start = None, None
    for tag in tags:
        # A second opening tag that nothing closes any more was meant to close the first one.
        if start is not None and (_closes(tag) or last_close < tag.start()):
            content, start = _content(text[start : tag.start()]), None
            if content and (answer is None or not _BETWEEN_TAGS.fullmatch(content)):
                answer = content
        elif not _closes(tag):
            start = tag.end()
    if answer is None and start is not None:
        answer = _content(_CUT_CLOSE.sub("", text[start:]))
    plain, position = [], 0
    for tag in tags:
        plain.append(text[position : tag.start()])
        position = tag.end()
    return answer, "".join([*plain, text[position:]])


def _closes(tag: re.Match[str]) -> bool:
    return bool(tag["close"] or tag["void"])


def _content(text: str) -> str | None:
    """What stands between tags; None where that is nothing, or dots that stand for something."""
    return None if _ONLY_DOTS.fullmatch(text) else text.strip()


def _last_boxed(text: str) -> str | None:
    """The content of the last ``\\boxed{…}`` that is complete and holds something."""
    opened: list[tuple[int, bool]] = []
    last, content = -1, None
    for token in _BRACES.finditer(text):
        if token["box"] or token[0] == "{":
            opened.append((token.end(), bool(token["box"])))
        elif token[0] == "}" and opened:
            start, is_box = opened.pop()
            if is_box and start > last and _content(text[start : token.start()]):
                last, content = start, text[start : token.start()].strip()
    return content

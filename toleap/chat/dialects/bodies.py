"""What stands between the marks of a call, in the forms that model families write: JSON, XML, Python, key by key.

Each reader is given the text between two marks and the tools' names, and returns its calls; none where the text has
another form. Values that a form writes without their type stay texts: the tool's schema says what they are.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any

from toleap.chat.dialects.calls import known_name, named_call, object_call, problem
from toleap.chat.dialects.json_values import MOST_CHARACTERS, Unreadable, read_json, strict
from toleap.types import ToolCall

Reader = Callable[[str, Collection[str]], list[ToolCall]]

SHOWN_AS = {"execute_code": "PythonInterpreter"}
"""Tools whose code stands behind the JSON, and the names under which models were trained on them."""
_NAMES = ("name", "tool_name", "tool", "function", "action", "recipient_name")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "kwargs")
_FENCED = re.compile(r"\s*```\w*\s*(.*?)\s*(?:```\s*)?\Z", re.DOTALL)
_HEAD = re.compile(
    r"\s*(?:function\s+)?([\w.:/-]{1,96})\s*(?:\n|\[CALL_ID\]\w*|\[ARGS\]|<[^<>{}]{1,60}>|\|)*\s*(?=\{|```|\Z)",
    re.ASCII,
)
_PREFIX = r"<(?:[\w-]+:|[｜|]?DSML[｜|])?"
_INVOKED = re.compile(
    rf"{_PREFIX}(?:invoke|function|tool_call|tool_use)(?:\s+name)?\s*=\s*[\"']?(?P<name>[\w.:/-]+)[\"']?\s*>(?P<body>.*?)"
    r"(?:(?P<close></(?:[\w-]+:|[｜|]?DSML[｜|])?(?:invoke|function|tool_call|tool_use)\s*>)|"
    rf"(?={_PREFIX}(?:invoke|function)(?:\s+name)?\s*=)|\Z)",
    re.DOTALL | re.ASCII,
)
_PARAMETER = re.compile(
    rf"{_PREFIX}parameter(?:\s+name)?\s*=\s*[\"']?(?P<key>[\w.-]+)[\"']?(?P<kind>[^<>]*)>(?P<value>.*?)"
    rf"(?:</(?:[\w-]+:|[｜|]?DSML[｜|])?parameter\s*>|(?={_PREFIX}parameter(?:\s+name)?\s*=)|\Z)",
    re.DOTALL | re.ASCII,
)
_PAIR = re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_CALLED = re.compile(r"\s*(?:call\s*:\s*)?([\w.:/-]{1,96})\s*\{(.*)\}\s*\Z", re.DOTALL | re.ASCII)
_ESCAPED = re.compile(r"<escape>(.*?)<escape>|<\|\"\|>(.*?)<\|\"\|>", re.DOTALL)
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_]\w*)\s*:", re.ASCII)
_XML_TOOL = re.compile(
    r"<(?:tool_)?name\s*>\s*(.*?)\s*</(?:tool_)?name\s*>\s*<(arguments|parameters|input|args)\s*>(.*?)(?:</\2\s*>|\Z)",
    re.DOTALL,
)
_ELEMENT = re.compile(r"\s*<([\w-]+)\s*>(.*?)</\1\s*>\s*", re.DOTALL | re.ASCII)
_OBJECTS = re.compile(r"(?:\[\s*)?\{")
_CONSTANTS = {"true": True, "false": False, "null": None}


def json_calls(text: str, tools: Collection[str], *, arguments: bool = False) -> list[ToolCall]:
    """Objects with a name and arguments, alone, in a list, or one behind the other.

    With ``arguments`` these have to be there: an object with a name alone may be an answer.
    """
    fence = _FENCED.fullmatch(text) if text.lstrip().startswith("```") else None
    body = (fence[1] if fence else text).strip()
    if not _OBJECTS.match(body):
        return []
    try:
        values = [read_json(body, lambda value: bool(_named(value, tools))).value]
    except Unreadable as error:
        values = list(_one_by_one(body))
        if not values:
            return [problem(error)] if _mentions(body, tools) else []
    values = [_unwrapped(value) for value in values]
    items = [item for value in values for item in (value if isinstance(value, list) else [value])]
    if arguments and not all(isinstance(item, dict) and item.keys() & {*_ARGUMENTS, "function"} for item in items):
        return []
    named = [_named(item, tools) for item in items]
    return [_made(*pair, tools) for pair in named if pair is not None] if all(named) else []


def named_json(text: str, tools: Collection[str]) -> list[ToolCall]:
    """A name, whatever separates it, and the arguments as JSON."""
    head = _HEAD.match(text)
    if head is None or not head[1]:
        return []
    rest = text[head.end() :].strip()
    fence = _FENCED.fullmatch(rest) if rest.startswith("```") else None
    return [named_call(known_name(head[1], tools), fence[1] if fence else rest, tools)]


def message_call(text: str, tools: Collection[str]) -> list[ToolCall]:
    """A recipient's name, then behind other marks, or behind what is left of them, a message that is JSON."""
    head, mark, message = text.partition("<|message|>")
    if not mark:
        head, mark, message = text.partition("{")
        message = mark + message
    name = re.match(r"\s*[\w.-]+", head, re.ASCII)
    return [named_call(name[0].strip(), message.strip(), tools)] if name else []


def xml_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """Elements that invoke a function, with one element for each parameter, or with JSON inside."""
    calls = []
    for match in _INVOKED.finditer(text):
        name, body = known_name(match["name"], tools), match["body"]
        if body.strip().startswith("{"):
            calls.append(named_call(name, body.strip(), tools))
            continue
        pairs = [(p["key"], p["value"], 'string="false"' in p["kind"]) for p in _PARAMETER.finditer(body)]
        if pairs or (match["close"] and not body.strip()):
            calls.append(_with_texts(name, pairs, tools))
    return calls


def server_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """A tool's name and its arguments, each in an element of its own; the arguments as JSON or as elements again."""
    calls = []
    for name, _, body in _XML_TOOL.findall(text):
        elements = [(key, value, False) for key, value in _ELEMENT.findall(body)]
        whole = elements and not _ELEMENT.sub("", body).strip()
        known = known_name(name, tools)
        calls.append(_with_texts(known, elements, tools) if whole else named_call(known, body.strip(), tools))
    return calls


def coded_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """A call as JSON with its code behind it, in an element of its own."""
    head, mark, rest = text.partition("<code>")
    code, end, after = rest.rpartition("</code>")
    return [coded_call(head, code, tools)] if mark and end and not after.strip() else []


def coded_call(text: str, code: str, tools: Collection[str]) -> ToolCall:
    """The call in a JSON text, with the code that stands behind it as its argument."""
    call = trained_call(text, tools)
    if call.problem is not None:
        return call
    code = code.removeprefix("\n").removesuffix("\n")
    if str(call.arguments.get("code") or "").strip() not in {"", code.strip()}:
        return problem("its code is there twice, in the arguments and behind them")
    if code.encode("utf-8", "replace").decode() != code:
        return problem("its code holds characters that are no Unicode text")
    if len(code) > MOST_CHARACTERS:
        return problem(f"its code is longer than {MOST_CHARACTERS} characters")
    return replace(call, arguments={**call.arguments, "code": code})


def trained_call(text: str, tools: Collection[str]) -> ToolCall:
    """The call in a JSON text, under the tool's own name where it is called by the one the model was trained on."""
    meant = trained_names(tools)
    call = object_call(text, {*tools, *meant})
    return replace(call, name=meant[call.name]) if call.name in meant else call


def trained_names(tools: Collection[str]) -> dict[str, str]:
    """The names under which models were trained on some of these tools, each with the tool's own."""
    return {trained: ours for ours, trained in SHOWN_AS.items() if ours in tools and trained not in tools}


def element_call(text: str, tools: Collection[str]) -> list[ToolCall]:
    """An element with the tool's name, and in it one for each argument, or JSON. Plain text is no argument."""
    opening = re.match(r"<(\w+)\s*>", text, re.ASCII)
    if opening is None or opening[1] not in tools:
        return []
    name, body = opening[1], text[opening.end() :].strip()
    elements = [(key, value, False) for key, value in _ELEMENT.findall(body)]
    if elements and not _ELEMENT.sub("", body).strip():
        return [_with_texts(name, elements, tools)]
    if body.startswith("{"):
        return [named_call(name, body, tools)]
    return [named_problem(name, "write every argument with its name")]


def known_head(text: str, tools: Collection[str]) -> bool:
    """Whether a text begins with a known tool's name."""
    head = _HEAD.match(text)
    return head is not None and known_name(head[1], tools) in tools


def paired_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """A name, then each argument as an element for its key and one for its value."""
    name = text[: text.find("<arg_key>")] if "<arg_key>" in text else text
    if not re.fullmatch(r"\s*[\w.:/-]+\s*", name, re.ASCII):
        return []
    return [_with_texts(known_name(name.strip(), tools), [(k, v, False) for k, v in _PAIR.findall(text)], tools)]


def called_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """``call:name{key:value}``, with texts between marks of their own."""
    match = _CALLED.fullmatch(text)
    if match is None:
        return []
    texts: list[str] = []

    def kept(text: re.Match[str]) -> str:
        texts.append(text[1] if text[1] is not None else text[2])
        return f'"\x00{len(texts) - 1}"'

    plain = _BARE_KEY.sub(r'\1"\2":', "{" + _ESCAPED.sub(kept, match[2]) + "}")
    whole = re.sub(r'"\x00(\d+)"', lambda place: json.dumps(texts[int(place[1])]), plain)
    return [named_call(known_name(match[1], tools), whole, tools)]


def python_calls(text: str, tools: Collection[str]) -> list[ToolCall]:
    """Function calls as Python writes them, alone, in a list, or printed."""
    fence = _FENCED.fullmatch(text) if text.lstrip().startswith("```") else None
    try:
        tree = ast.parse((fence[1] if fence else text).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    nodes: list[ast.expr] = []
    for statement in tree.body:
        value = getattr(statement, "value", None)
        if not isinstance(statement, ast.Expr | ast.Assign) or not isinstance(value, ast.expr):
            return []
        nodes += value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    calls = [_python_call(node, tools) for node in nodes]
    return [call for call in calls if call is not None] if all(calls) else []


def _python_call(node: ast.expr, tools: Collection[str]) -> ToolCall | None:
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name) and node.func.id == "print" and len(node.args) == 1 and "print" not in tools:
        return _python_call(node.args[0], tools)
    name = known_name(ast.unparse(node.func).removesuffix(".call"), tools)
    if name not in tools:
        return None
    if node.args or any(keyword.arg is None for keyword in node.keywords):
        return named_problem(name, "write every argument with its name")
    try:
        arguments = {str(keyword.arg): _literal(keyword.value) for keyword in node.keywords}
        return named_call(name, json.dumps(arguments), tools)
    except (ValueError, TypeError, RecursionError):
        return named_problem(name, "its arguments are no plain values")


def named_problem(name: str, why: str) -> ToolCall:
    """A call of a known tool that cannot be made."""
    return problem(f"{why} in the call of {name}")


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _CONSTANTS:
        return _CONSTANTS[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {_literal(key): _literal(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    return ast.literal_eval(node)


def _with_texts(name: str, pairs: list[tuple[str, str, bool]], tools: Collection[str]) -> ToolCall:
    """A call whose arguments are texts, but for those that say that they are JSON."""
    if len({key for key, _, _ in pairs}) < len(pairs):
        return named_problem(name, "an argument is there twice")
    try:
        values = {
            key: strict(value) if is_json else value.removeprefix("\n").removesuffix("\n")
            for key, value, is_json in pairs
        }
    except Unreadable as error:
        return problem(error)
    return named_call(name, json.dumps(values), tools)


def _named(value: Any, tools: Collection[str]) -> tuple[str, Any] | None:
    """The name and the arguments in an object; None where it has none."""
    if isinstance(value, list):
        return _named(value[0], tools) if value else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("function"), dict):
        return _named(value["function"], tools)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if name is not None:
        return name, next((value[key] for key in _ARGUMENTS if key in value), {})
    if len(value) == 1:
        ((only, arguments),) = value.items()
        return (only, arguments) if known_name(only, tools) in tools and isinstance(arguments, dict) else None
    return None


def _unwrapped(value: Any) -> Any:
    """The list in an object that holds nothing but one of calls."""
    return value["tool_calls"] if isinstance(value, dict) and value.keys() == {"tool_calls"} else value


def _made(name: str, arguments: Any, tools: Collection[str]) -> ToolCall:
    return named_call(known_name(name, tools), arguments, tools)


def _one_by_one(text: str) -> Iterator[Any]:
    """Objects one behind the other, with blanks, commas or semicolons between them; none if one is torn."""
    decoder, position, values = json.JSONDecoder(), 0, []
    while position < len(text):
        try:
            _, end = decoder.raw_decode(text, position)
            values.append(strict(text[position:end]))
        except (ValueError, RecursionError):
            return
        between = re.compile(r"[\s,;]*").match(text, end)
        position = between.end() if between else end
    if len(values) > 1:
        yield from values


def _mentions(text: str, tools: Collection[str]) -> bool:
    return any(re.search(rf"(?<![\w]){re.escape(name)}(?![\w])", text) for name in tools)

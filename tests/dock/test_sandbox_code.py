"""Code as models write it: with what surrounds it in a text, with ``await``, and after it has broken its output."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.dock.test_sandbox import pytestmark as needs_a_sandbox
from tests.dock.test_sandbox import said
from toleap.dock.sandbox import Sandbox
from toleap.dock.sandbox.supervisor import mended

pytestmark = needs_a_sandbox
NBSP = "\u00a0"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("code", "meant"),
    [
        ("```python\nx = 1\nx + 1\n```", "x = 1\nx + 1\n"),
        ("```\nx + 1\n```\n", "x + 1\n"),
        ("```py\nx + 1", "x + 1"),
        ("Here is the code:\n```python\nx + 1\n```\nIt adds.", "x + 1\n"),
        ("```python\na = 1\n```\nthen\n```python\na + 1\n```", "a = 1\n\na + 1\n"),
        (">>> x = 1\n>>> x + 1\n2", "x = 1\nx + 1"),
        (">>> for i in 'a':\n...     print(i)\n...\na", "for i in 'a':\n    print(i)\n"),
        ("python\nfor i in x: i\n  ```", "for i in x: i"),
        ("In [1]: for i in x:\n   ...:     i\n", "for i in x:\n    i"),
        ("    x = 1\n    x + 1\n", "x = 1\nx + 1"),
        ("  ```python\n  x + 1\n  ```", "x + 1"),
        ("\ufeffx = 1 1" + "\n", "\ufeffx = 1 1\n"),
        ("\ufeffx + 1", "x + 1"),
        (f"if x:{chr(10)}{NBSP}{NBSP}{NBSP}{NBSP}y = 1", "if x:\n    y = 1"),
        (f"x{NBSP}={NBSP}1", "x = 1"),
        ("x\u200b = 1", "x = 1"),
        ("x\u3000= 1", "x = 1"),
        ("x = 1", "x = 1"),
        ("s = '''\n```python\n>>> x\n```\n'''", "s = '''\n```python\n>>> x\n```\n'''"),
        (f"s = 'a{NBSP}b'", f"s = 'a{NBSP}b'"),
        ("  x = 1\n# why\n  x", "x = 1\n\nx"),
        ("# why\n    x = 1\n    x", "x = 1\nx"),
        ("~~~python\nx + 1\n~~~", "x + 1"),
        ("```python x + 1```", "x + 1"),
        ("`x + 1`", "x + 1"),
        ("````python\nx + 1\n````", "x + 1"),
        ("```python {.line-numbers}\nx + 1\n```", "x + 1"),
        ("x = (", "x = ("),
        ("", ""),
    ],
)
def test_what_surrounds_code_goes_only_where_it_does_not_parse_otherwise(code: str, meant: str) -> None:
    assert mended(code).strip("\n") == meant.strip("\n")


async def test_await_works_at_the_top_and_its_loop_stays(sandbox: Sandbox) -> None:
    code = "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x\nawait f(41) + 1"
    assert await said(sandbox, code) == ("done", "42")
    assert await said(sandbox, "task = asyncio.ensure_future(f(1))\nawait task") == ("done", "1")
    assert await said(sandbox, "x = await f(7)\nprint(x)\nx") == ("done", "7\n7")
    assert await said(sandbox, "asyncio.run(f(3))") == ("done", "3")
    assert (await said(sandbox, "await f(1 / 0)"))[0] == "raised"
    assert await said(sandbox, "async for_ = 1")  # no syntax of any kind
    assert await said(sandbox, "await f(5)") == ("done", "5")


@pytest.mark.parametrize(
    "code",
    [
        "!pip install x",
        "%matplotlib inline\nprint(1)",
        "import os\n!ls",
        "%%time\nx = 1",
        "pip install x",
        "import os\nos.path?",
        "$ pip3 install x",
        "len??",
    ],
)
async def test_shell_lines_and_magic_get_one_sentence(sandbox: Sandbox, code: str) -> None:
    end, text = await said(sandbox, code)
    assert end == "raised" and "(shell commands, IPython magic) do not work here" in text
    assert await said(sandbox, "7 % 4") == ("done", "3")


@pytest.mark.parametrize(
    "broken",
    [
        "import sys, io\nsys.stdout = io.StringIO()",
        "import sys\nsys.stdout.close()",
        "import sys\nsys.stdout = sys.stderr = None",
        "import os\nos.close(1)",
        "import os\nos.close(1); os.close(2)",
        "import os\nos.dup2(os.open('/tmp/log', os.O_CREAT | os.O_WRONLY), 1)",
        "import sys\nsys.stdout = open('/tmp/o', 'w')",
        "import sys\ndel sys.stdout",
        "import contextlib, io\ncontextlib.redirect_stdout(io.StringIO()).__enter__()",
    ],
)
async def test_output_that_code_broke_is_whole_in_the_next_call(sandbox: Sandbox, broken: str) -> None:
    await said(sandbox, broken)
    assert await said(sandbox, "print('here')") == ("done", "here\n")
    assert await said(sandbox, "import os; os.system('echo shell')\nimport sys; print('err', file=sys.stderr)") == (
        "done", "shell\nerr\n",
    )  # fmt: skip


async def test_what_tasks_need_is_installed(sandbox: Sandbox) -> None:
    code = (
        "import PIL, matplotlib.pyplot as plt, docx, pptx, pypdf, xlrd, bs4, lxml, openpyxl, numpy, pandas, scipy\n"
        "plt.plot([1, 2]); plt.savefig('a.png')\nimport os\nos.path.getsize('a.png') > 1000"
    )
    assert await said(sandbox, code, seconds=60) == ("done", "True")

"""Untrusted bytes to text: pages, PDFs, office files, archives. Runs in a worker process; see ``workers``.

Every parser takes the bytes and the number of characters wanted, and stops soon after it has them. What it raises is
the file's fault. ``file`` goes by what a file holds where its suffix lies.
"""

from __future__ import annotations

from collections.abc import Callable

from toleap.dock.parsers.documents import file, pdf
from toleap.dock.parsers.pages import html
from toleap.dock.parsers.parsed import Parsed
from toleap.dock.parsers.sheets import xlsx
from toleap.dock.parsers.slides import pptx
from toleap.dock.parsers.word import docx

__all__ = ["PARSERS", "Parsed", "file", "html"]

PARSERS: dict[str, Callable[..., Parsed]] = {
    "html": html,
    "file": file,
    "pdf": pdf,
    "xlsx": xlsx,
    "docx": docx,
    "pptx": pptx,
}
"""Kind of job → its parser."""

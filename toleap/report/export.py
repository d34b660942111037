"""Writing a table into a run's folder."""

from __future__ import annotations

from pathlib import Path

from toleap.data.cache import writing
from toleap.errors import StoreFault
from toleap.report.render import to_json, to_markdown
from toleap.report.values import Table


def export(table: Table, folder: Path) -> tuple[Path, Path]:
    """Write ``table.md`` and ``table.json`` into ``folder``, each whole or not at all; returns both paths.

    Raises:
        StoreFault: they cannot be written.
    """
    contents = {folder / "table.md": to_markdown(table), folder / "table.json": to_json(table)}
    for path, content in contents.items():
        try:
            with writing(path) as temporary:
                temporary.write_text(content, encoding="utf-8")
        except OSError as error:
            raise StoreFault(f"{path}: cannot be written: {error.strerror}") from error
    return folder / "table.md", folder / "table.json"

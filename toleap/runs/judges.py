"""The judges of a run: one for each benchmark that needs one, all asking the same server."""

from __future__ import annotations

from toleap.benchmark import Benchmark
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.scoring.judge import Endpoint, Judge, make_judge

_GENERAL = "general"
_JUDGED = "judge"


class Judges:
    """Makes judges from one set of settings; without a judge model there are none."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings) if settings.model is not None else None

    def judge_of(self, benchmark: Benchmark) -> Judge | None:
        """The judge of a benchmark; None where a rule scores it or no judge is configured.

        Raises:
            UsageError: the benchmark's rubric is unknown, or its prompt cannot be used.
        """
        if benchmark.score.by != _JUDGED or self._endpoint is None:
            return None
        own = benchmark.folder / "judge.jinja"
        try:
            template = own.read_text(encoding="utf-8") if own.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{own}: cannot be read: {error}") from error
        return make_judge(
            benchmark.score.rubric or _GENERAL,
            self._settings,
            sees=benchmark.score.judge_sees,
            template=template,
            endpoint=self._endpoint,
        )

    async def aclose(self) -> None:
        """Close the connections to the judge's server."""
        if self._endpoint is not None:
            await self._endpoint.close()

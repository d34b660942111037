"""The judges of a run: one for each benchmark that needs one, all asking the same server."""

from __future__ import annotations

from toleap.benchmark import Benchmark
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.runs.store.store import Authority
from toleap.scoring.judge import Endpoint, Judge, make_judge
from toleap.scoring.judge.official import SOURCES

_GENERAL = "general"
_JUDGED = "judge"


def authority(judge: Judge) -> Authority:
    """What a run keeps of who gave its verdicts."""
    return Authority(judge.fingerprint, judge.label, judge.official)


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
        return self._made(benchmark, self._settings) if benchmark.score.by == _JUDGED else None

    def second_of(self, benchmark: Benchmark) -> Judge | None:
        """The judge that gives second verdicts beside a rule's; None where none is asked for or configured.

        A rubric without an owner has our wording only, whatever ``judge.prompt`` says.

        Raises:
            UsageError: as ``judge_of``.
        """
        if benchmark.score.also != _JUDGED:
            return None
        official = (benchmark.score.rubric or _GENERAL) in SOURCES
        settings = self._settings if official else self._settings.model_copy(update={"prompt": "toleap"})
        return self._made(benchmark, settings)

    def _made(self, benchmark: Benchmark, settings: JudgeSettings) -> Judge | None:
        if self._endpoint is None:
            return None
        own = benchmark.folder / "judge.jinja"
        try:
            template = own.read_text(encoding="utf-8") if own.is_file() else None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{own}: cannot be read: {error}") from error
        return make_judge(
            benchmark.score.rubric or _GENERAL,
            settings,
            sees=benchmark.score.judge_sees,
            template=template,
            endpoint=self._endpoint,
        )

    async def aclose(self) -> None:
        """Close the connections to the judge's server."""
        if self._endpoint is not None:
            await self._endpoint.close()

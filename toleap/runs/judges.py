"""The scorers of a run's benchmarks: rules, and judges that all ask one server."""

from __future__ import annotations

from toleap.benchmark import Benchmark
from toleap.config import JudgeSettings
from toleap.errors import UsageError
from toleap.scoring.judge import Endpoint, Judge, make_judge
from toleap.scoring.judge.official import SOURCES
from toleap.scoring.scorers import NoJudge, Scorer, scorer_for
from toleap.types import ScoredBy

_GENERAL = "general"
_JUDGED = "judge"


class Judges:
    """Makes scorers from one set of judge settings; without a judge model there are no judges."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        self._endpoint = Endpoint(settings) if settings.model is not None else None

    def scorers_of(self, benchmark: Benchmark, *, trust: bool) -> tuple[Scorer, ...]:
        """Who scores a benchmark: the headline's scorer first, then whoever gives verdicts beside it.

        Raises:
            UsageError: there is no such scorer or rubric, its Python may not run, or its prompt cannot be used.
        """
        score = benchmark.score
        where = f"{benchmark.folder / 'benchmark.toml'}: score.by"
        rule = scorer_for(score.by, where=where, folder=benchmark.source.folder, trust=trust)
        judge = self._judge(benchmark, self._settings) if score.by == _JUDGED else None
        beside = self._judge(benchmark, self._beside(benchmark)) if score.also == _JUDGED else None
        return (judge or rule, *([beside] if beside else []))

    def _beside(self, benchmark: Benchmark) -> JudgeSettings:
        """A rubric without an owner has our wording only, whatever ``judge.prompt`` says."""
        official = (benchmark.score.rubric or _GENERAL) in SOURCES
        return self._settings if official else self._settings.model_copy(update={"prompt": "toleap"})

    def _judge(self, benchmark: Benchmark, settings: JudgeSettings) -> Judge | None:
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


def counted(scorers: tuple[Scorer, ...], before: tuple[ScoredBy, ...]) -> tuple[ScoredBy, ...]:
    """Whose verdicts count from now on, the headline's first.

    Those that a judge gave ``before`` go on counting while none is configured.
    """
    now = tuple(ScoredBy(scorer.fingerprint, scorer.label, scorer.official) for scorer in scorers)
    headline = before[:1] if isinstance(scorers[0], NoJudge) and before else now[:1]
    return (*headline, *(now[1:] or before[1:]))

"""Judges: models that say whether an answer means the same as the gold answer."""

from toleap.scoring.judge.endpoint import Endpoint
from toleap.scoring.judge.judge import Judge, make_judge
from toleap.scoring.judge.rubrics import RUBRICS

__all__ = ["RUBRICS", "Endpoint", "Judge", "make_judge"]

"""What a run has cost, over all its starts, and the cap at which it begins no further attempt.

Every reply that came counts, of the model and of the models beside it, whether its turn became durable or was lost to
a fault of ours. Not counted: judges, which are not the run's, and replies that never came or were in flight when the
process was killed; no server says what those cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from toleap.config import Operation
from toleap.errors import UsageError
from toleap.types import Role, Usage

Spent = Mapping[Role, Usage]
ROLES: tuple[Role, ...] = ("model", "auxiliary")
_PRICED = 1_000_000
_PRICES = "PROMPT,WRITTEN per million tokens"


@dataclass(slots=True)
class Meter:
    """Counts replies as they come, and hands on what is not stored yet."""

    spent: dict[Role, Usage] = field(default_factory=lambda: dict.fromkeys(ROLES, Usage()))
    uncounted: bool = False
    """A server gave a reply without saying how many tokens it has."""
    _unsaved: dict[Role, Usage] = field(default_factory=dict)

    def counter(self, role: Role) -> Callable[[Usage], None]:
        """What a client calls with the usage of each reply."""

        def count(usage: Usage) -> None:
            self.uncounted |= not usage.prompt and not usage.completion
            self.spent[role] = self.spent[role] + usage
            self._unsaved[role] = self._unsaved.get(role, Usage()) + usage

        return count

    def take(self) -> Spent:
        """What was counted since this was last called."""
        taken, self._unsaved = self._unsaved, {}
        return taken


@dataclass(frozen=True, slots=True)
class Cap:
    """The most a run may spend: tokens written, cost, or both. Prices are for the prompt, the written and the cached
    tokens of a million."""

    tokens: int | None = None
    cost: float | None = None
    prices: Mapping[Role, tuple[float, float, float]] = field(default_factory=dict)

    @property
    def is_set(self) -> bool:
        """Whether there is any."""
        return self.tokens is not None or self.cost is not None

    def reached(self, meter: Meter) -> str | None:
        """Why no further attempt may be begun, in words for people; None where one may."""
        if not self.is_set:
            return None
        if meter.uncounted:
            return "the model server counts no tokens, so no cap holds: leave out --token-cap and --cost-cap"
        written, cost = self._written(meter), self._cost(meter)
        if self.tokens is not None and written >= self.tokens:
            return _reached(f"{self.tokens:,} tokens", f"{written:,} are written", "--token-cap")
        if self.cost is not None and cost >= self.cost:
            return _reached(_money(self.cost), f"it cost {_money(cost)}", "--cost-cap")
        return None

    def shown(self, meter: Meter) -> str:
        """What is spent of it, short; empty without a cap."""
        shares = []
        if self.tokens is not None:
            shares.append(f"{self._written(meter):,} of {self.tokens:,} tokens")
        if self.cost is not None:
            shares.append(f"cost {_money(self._cost(meter))} of {_money(self.cost)}")
        return " · ".join(shares)

    def most_beyond(self, each: Usage, attempts: int) -> str:
        """What attempts in flight can still spend when the cap is reached, if each spends ``each`` at most."""
        beyond = []
        if self.tokens is not None:
            beyond.append(f"{attempts * each.completion:,} tokens")
        if self.cost is not None:
            beyond.append(_money(attempts * _priced(each, self.prices["model"])))
        return " or ".join(beyond)

    def _written(self, meter: Meter) -> int:
        return sum(usage.completion for usage in meter.spent.values())

    def _cost(self, meter: Meter) -> float:
        return sum(_priced(usage, self.prices[role]) for role, usage in meter.spent.items()) if self.prices else 0.0


def cap_of(operation: Operation) -> Cap:
    """The cap of these settings.

    Raises:
        UsageError: a cost is capped and there is no price.
    """
    if operation.cost_cap is not None and operation.price is None:
        raise UsageError(f"a cap on the cost needs prices: --price {_PRICES}, for example --price 0.15,0.60")
    model = _three(operation.price) if operation.price else (0.0, 0.0, 0.0)
    auxiliary = _three(operation.auxiliary_price) if operation.auxiliary_price else model
    return Cap(operation.token_cap, operation.cost_cap, {"model": model, "auxiliary": auxiliary})


def parse_price(text: str) -> list[float]:
    """``"0.15,0.60"`` → ``[0.15, 0.6]``.

    Raises:
        UsageError: these are no numbers.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--price {text!r}: write {_PRICES}, for example 0.15,0.60") from None


def _priced(usage: Usage, price: tuple[float, float, float]) -> float:
    prompt, written, cached = price
    total = (usage.prompt - usage.cached) * prompt + usage.cached * cached + usage.completion * written
    return total / _PRICED


def _three(price: tuple[float, ...]) -> tuple[float, float, float]:
    """Prompt, written and cached; cached tokens cost what the others do where nothing is said of them."""
    return price[0], price[1], price[2] if len(price) > 2 else price[0]


def _reached(cap: str, spent: str, flag: str) -> str:
    return f"the cap of {cap} is reached ({spent}); raise it ({flag}) and the same command continues"


def _money(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:.4g}"

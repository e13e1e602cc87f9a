"""What was claimed before, what came, and what follows from it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive"]
EXIT_CODES: dict[str, int] = {"pass": 0, "fail": 1, "inconclusive": 3}


@dataclass(frozen=True)
class Prediction:
    """A value that a formula gives before the run. inputs: symbol -> (value, unit)."""

    name: str
    value: float
    unit: str
    formula: str
    tex: str
    inputs: Mapping[str, tuple[float, str]]
    source: str
    made_at: str

    def as_dict(self) -> dict[str, Any]:
        inputs = {symbol: {"value": value, "unit": unit} for symbol, (value, unit) in self.inputs.items()}
        return asdict(self) | {"inputs": inputs}


@dataclass(frozen=True)
class Check:
    """A row of `checks` in summary.json. error: measured / predicted - 1. passed: None if it could not be told."""

    name: str
    predicted: float | None
    measured: float | None
    low: float | None
    high: float | None
    unit: str
    tolerance: float | None
    error: float | None
    passed: bool | None
    why: str

    @classmethod
    def of_prediction(cls, made: Prediction, measured: float, tolerance: float, unsure: str = "") -> "Check":
        """Within so large a share of the predicted value? unsure: why it cannot be told, although there is a figure."""
        low, high = sorted((made.value * (1 - tolerance), made.value * (1 + tolerance)))
        error = measured / made.value - 1 if made.value else math.nan
        passed, why = _between(measured, low, high)
        if math.isfinite(error):
            why = f"{error:+.1%} off; {tolerance:.0%} is allowed"
        passed, why = (None, unsure) if unsure else (passed, why)
        return cls(made.name, made.value, measured, low, high, made.unit, tolerance, error, passed, why)

    @classmethod
    def of_interest(cls, made: Prediction, measured: float, why: str) -> "Check":
        """Both figures side by side, without a judgement. why: what keeps one from judging, or what it is for."""
        error = measured / made.value - 1 if made.value else math.nan
        return cls(made.name, made.value, measured, None, None, made.unit, None, error, None, why)

    @property
    def only_shown(self) -> bool:
        return self.predicted is not None and self.low is None and self.high is None

    @classmethod
    def of_bounds(
        cls, name: str, measured: float, low: float | None, high: float | None, unit: str, why: str
    ) -> "Check":
        passed, words = _between(measured, low, high)
        return cls(name, None, measured, low, high, unit, None, None, passed, why or words)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _between(measured: float, low: float | None, high: float | None) -> tuple[bool | None, str]:
    if not math.isfinite(measured):
        return None, "nothing was measured"
    if low is not None and measured < low:
        return False, f"below {low:.4g}"
    if high is not None and measured > high:
        return False, f"above {high:.4g}"
    return True, "as claimed"


def decide(
    checks: Sequence[Check], limits: Iterable[tuple[str, str]], audit: Mapping[str, Any] | None
) -> tuple[Verdict, str]:
    """The verdict and why. limits: (arm, generator or host) where the figures say less about the system.

    A broken promise counts whoever was the limit; a figure does not.
    """
    limited = dict.fromkeys(f"the {who} in {arm!r}" for arm, who in limits)
    wrong = [f"{check.name}: {check.why}" for check in checks if check.passed is False]
    judged = [check for check in checks if not check.only_shown]
    unknown = [f"{check.name}: {check.why}" for check in judged if check.passed is None]
    clean, findings = (True, [""]) if audit is None else (audit["clean"], audit["findings"] or [""])
    reasons: list[tuple[bool, Verdict, str]] = [
        (clean is False, "fail", f"the audit found broken promises: {findings[0]}"),
        (bool(limited), "inconclusive", f"the limit was {', '.join(limited)}"),
        (bool(wrong), "fail", _few(wrong)),
        (clean is None, "inconclusive", f"the audit could not be made: {findings[0]}"),
        (bool(unknown), "inconclusive", _few(unknown)),
        (not judged, "inconclusive", "nothing was checked"),
    ]
    return next(
        ((verdict, why) for holds, verdict, why in reasons if holds), ("pass", f"all {len(judged)} checks passed")
    )


def _few(reasons: Sequence[str]) -> str:
    more = f"; {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return "; ".join(reasons[:3]) + more

"""The learning rate of a step as text of Python, for each schedule that a training script can hold."""

from typing import Any

from slalom.errors import SlalomError
from slalom.schedules import Schedule

# Each with its settings in place of the words in braces; t, the step, counts from 0, and horizon is how many there are.
FACTORS = {
    "constant": ["1.0"],
    "cosine": ["{floor} + (1 - {floor}) * (1 + math.cos(math.pi * min(t / horizon, 1))) / 2"],
    "linear": ["{start} + ({end} - {start}) * min(t / horizon, 1)"],
    "polynomial": ["{floor} + (1 - {floor}) * (1 - min(t / horizon, 1)) ** {power}"],
    "exponential": ["{factor} ** (t / {every})"],
    "step": ["{factor} ** (t // {every})"],
    "inverse_time": ["1 / (1 + {growth} * t / {every})"],
    "multi_step": ["{factor} ** sum(t >= milestone for milestone in {milestones})"],
    "piecewise_constant": ["{factors}[sum(t >= boundary for boundary in {boundaries})]"],
    "coslog": ["(1 - math.cos(2 * math.pi * math.log2(1 + (2**{cycles} - 1) * min(t / horizon, 1)))) / 2"],
    "flat_cosine": [
        "done = min(max((t - {start}) / max(horizon - {start}, 1e-9), 0), 1)",
        "{floor} + (1 - {floor}) * (1 + math.cos(math.pi * done)) / 2",
    ],
    "cosine_restarts": [
        "start, length = 0, max({period}, 1)",
        "while start + length <= t and start + length < horizon * (1 - 1e-9):",
        "    start, length = start + length, length * {multiplier}",
        "{floor} + (1 - {floor}) * (1 + math.cos(math.pi * min((t - start) / length, 1))) / 2",
    ],
    "cyclic": [
        "i, x = divmod(t / ({period}), 1)",
        "{floor} + (1 - {floor}) * {decay} ** i * min(x / {peak}, (1 - x) / (1 - {peak}))",
    ],
    "one_cycle": [
        "top, first, last = max({rise}, 1) - 1, 1 / {divisor}, 1 / {divisor} / {final_divisor}",
        "done = min((t - top) / max(horizon - 1 - top, 1e-9), 1)",
        "fall = last + (1 - last) * (1 + math.cos(math.pi * max(done, 0))) / 2",
        "1 + (first - 1) * (1 + math.cos(math.pi * t / top)) / 2 if t < top else fall",
    ],
    "warmup_stable_decay": [
        "rise, fall = int({warmup}), min({cooldown}, horizon)",
        "done = 1 - min(max((horizon - t) / fall, 0), 1)",
        "min((t + 1) / max(rise, 1), 1, {floor} + (1 - {floor}) * (1 - done**{power}))",
    ],
}
LENGTHS = ("every", "start", "period", "rise", "warmup", "cooldown", "milestones", "boundaries")


def factor(schedule: Schedule, plain: dict[str, Any]) -> list[str]:
    """Lines of Python that find the factor on the rate at step t of horizon; the last is its value.

    plain: the schedule as plain data. Raises SlalomError for one that has no such text: it hears scores, or is a
    function.

    >>> from slalom.schedules import Step
    >>> factor(Step(every=0.25), {"name": "step", "every": 0.25, "factor": 0.5})
    ['0.5 ** (t // (0.25 * horizon))']
    """
    name = plain["name"]
    if name not in FACTORS:
        raise SlalomError(
            f"The schedule must be one of {', '.join(FACTORS)}: a training script has no text of others. Got {name}."
        )
    lengths = LENGTHS if name != "linear" else ()  # whose start is a factor
    given = {k: _length(v) if k in lengths else repr(v) for k, v in plain.items() if k != "name"}
    return [line.format(**given) for line in FACTORS[name]]


def _length(value: Any) -> str:
    """A length of time as text: a share of the horizon where it is below 1."""
    if isinstance(value, (list, tuple)):
        return f"({', '.join(map(_length, value))},)"
    return f"({value!r} * horizon)" if value < 1 else repr(value)

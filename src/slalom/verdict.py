"""What a race found, in plain sentences: the winner, its scores beside the baselines, and how the recipes ended."""

import re

from slalom.board import number, numbers, short
from slalom.result import ENSEMBLE, Gain, Result

ALONE = "It is the only recipe that ran: nothing was compared. With more seconds there are more."


def has_winner(result: Result) -> bool:
    """Whether a recipe won; without a recipe that has a score, the model predicts the mean or the majority."""
    return result.best.won


def verdict(result: Result) -> list[str]:
    """The sentences that stand first: who won, how well, and whether a baseline is better."""
    optimistic = [_optimistic(result)] if has_winner(result) else []
    alone = [ALONE] if has_winner(result) and result.about.get("recipes") == 1 else []
    return [
        _winner(result), *_on_test_rows(result), *alone, *optimistic, *_again(result), *_remark(result),
        *_ensemble(result),
    ]  # fmt: skip


def _optimistic(result: Result) -> str:
    """What the winner's search score is worth."""
    if result.best.again is None:
        said, what = "It was chosen by that score, so the score is optimistic", "corrected for the choice it is"
    else:
        said = "That is its score in the search, which is optimistic: it was the best of many"
        what = "the best score of the search, corrected for the choice, is"
    if result.best.corrected is None:
        return f"{said}."
    texts = numbers([result.best.score, *result.best.corrected])
    return f"{said}; {what} {texts[1]} (95 % interval {texts[2]} to {texts[3]})."


def _again(result: Result) -> list[str]:
    """What the finalists' new seeds say, where there was time for them."""
    best = result.best
    if best.again is None:
        return []
    others = result.leaderboard["new_seeds_score"].drop_nulls().len() - 1
    seeds = f"{best.seeds} new seed{'s' * (best.seeds != 1)}"
    if others <= 0:
        beaten = "as the one finalist."
    elif not best.tied:
        beaten = f"better than {others} other finalist{'s' * (others != 1)}."
    else:
        names, end = " and ".join(best.tied), "most" if result.metric.greater else "least"
        beaten = f"the {end} of {others + 1} finalists; but these seeds do not tell it from {names}: a tie."
    return [f"Run again with {seeds}, it has {number(best.again)} on average on these rows, {beaten}"]


def _remark(result: Result) -> list[str]:
    """What the winner's update rule says of the training, where it says anything."""
    board = result.leaderboard
    said = board.filter(board["name"] == result.best.name)["remark"].to_list() if "remark" in board.columns else []
    return [f"Its update rule {said[0]}."] if said and said[0] else []


def _winner(result: Result) -> str:
    best, metric = result.best, result.metric
    direction = "more is better" if metric.greater else "less is better"
    score = numbers([best.score])[0]
    if not has_winner(result):
        outcomes = result.about.get("outcomes", {})
        why, do = "the race ended before", "Give it more time"
        if outcomes.get("diverged"):
            why, do = "every one diverged", "Try smaller learning rates"
        elif not outcomes and any("could not be compiled" in note for note in result.notes):
            why, do = "no program could be compiled", "The notes say why"
        kept = "the mean" if result.about.get("task") == "regression" else "every class as often as it is"
        return (
            f"No recipe could be scored: {why}. {do}. The model that is kept predicts {kept} ({metric.name} {score})."
        )
    return f"{best.name.capitalize()} won with {metric.name} {score} on the choosing rows ({direction})."


def _ensemble(result: Result) -> list[str]:
    """What the ensemble is, what it gains on evidence rows, and which of both predicts."""
    gain = result.gain
    if gain is None:
        return []
    name, several = result.metric.name, len(gain.recipes) > 1
    single, ensemble = numbers([gain.single, gain.ensemble])
    nets = f"{gain.nets} net{'s' * (gain.nets != 1)}" + (
        f" of {len(gain.recipes)} recipes" if several and gain.nets > len(gain.recipes) else ""
    )
    if not several:
        what = (
            "the winner alone" if list(gain.recipes) == [result.best.name] else f"of {next(iter(gain.recipes))} alone"
        )
        kept = " of the folds, whose predictions are averaged; the winner itself is one net" if gain.nets > 1 else ""
        return [f"The ensemble is {what} ({nets}{kept}): no mean with another was better on the choosing rows."]
    score = numbers([gain.score])[0]
    return [
        f"An ensemble, the mean of {nets}, has {name} {score} on the choosing rows, an optimistic score too: it was put"
        f" together by them. On the {gain.rows:,} evidence rows, which chose nothing, it has {ensemble} and the winner"
        f" alone {single}: {_interval(gain)}. {_which(result, gain)}"
    ]


def _interval(gain: Gain) -> str:
    """The gain with its interval, in words."""
    if gain.gain is None or gain.low is None or gain.high is None:
        return "too few rows for an interval"
    texts = numbers([abs(gain.gain), abs(gain.low), abs(gain.high)])
    low, high = (("−" if end < 0 else "") + text for end, text in zip((gain.low, gain.high), texts[1:], strict=True))
    better = "better" if gain.gain >= 0 else "worse"
    interval = f"{texts[0]} {better} (95 % interval of the gain {low} to {high})"
    return interval if gain.low > 0 else f"{interval}, which may be chance"


def _which(result: Result, gain: Gain) -> str:
    """Which of both predicts, and how to get the other."""
    if gain.used:
        return "Predictions are the ensemble's; `slalom predict … --single` takes the winner's."
    refit = ", which was refitted" if result.about.get("refit") else ""
    return f"Predictions are the winner's{refit}; `slalom predict … --ensemble` takes the ensemble's."


def _on_test_rows(result: Result) -> list[str]:
    """The test scores, and what they say about the baselines: beside the model that predicts."""
    own, together = result.best.test, result.tests.get(ENSEMBLE)
    shown = together if result.gain and result.gain.nets > 1 else None
    baselines = {name: score for name, score in result.tests.items() if name not in (result.best.name, ENSEMBLE)}
    if own is None:
        return ["There is no test score: all rows serve training, choosing or evidence.", *_on_choosing_rows(result)]
    sign = -1 if result.metric.greater else 1
    known = {name: score for name, score in baselines.items() if score is not None}
    known = dict(sorted(known.items(), key=lambda pair: sign * pair[1]))
    beside = ({} if shown is None else {"the ensemble": shown}) | known
    own_text, low, high, *texts = numbers([own, *(result.best.test_ends or (None, None)), *beside.values()])
    interval = f" (95 % interval over rows {low} to {high})" if result.best.test_ends else ""
    others = ", ".join(f"{short(name)} {text}" for name, text in zip(beside, texts, strict=True))
    rows = result.about.get("rows", {}).get("test")
    where = f"the {rows:,} test rows" if rows else "the test rows"
    found = f"{result.metric.name} {own_text}{interval}"
    said = [f"On {where}, which chose nothing: {found}" + (f"; {others}." if others else ".")]
    if has_winner(result) and known:
        used = result.gain is not None and result.gain.used and together is not None
        said.append(_comparison(result, together if used else own, known, "ensemble" if used else "net"))  # type: ignore[arg-type]
    lacking = [short(name) for name, score in baselines.items() if score is None]
    return [*said, *([f"No test score within the time: {', '.join(lacking)}."] if lacking else [])]


def _comparison(result: Result, own: float, known: dict[str, float], what: str) -> str:
    sign = -1 if result.metric.greater else 1
    better = sorted((name for name in known if sign * known[name] < sign * own), key=lambda name: sign * known[name])
    split = "(single runs on one division of the rows: small differences may be chance)"
    if not better:
        equal = [short(name) for name in known if known[name] == own]
        beaten = (
            f"The {what} is better than every baseline" if not equal else f"The {what} is level with {', '.join(equal)}"
        )
        return f"{beaten} {split}."
    first = short(better[0])
    verb = "win" if first.endswith("s") else "wins"
    first = first if first.endswith("s") else f"the baseline “{first}”"
    said = f"{first[0].upper()}{first[1:]} {verb} on this data {split}."
    rest = [short(name) for name in better[1:]]
    return said + (f" Better than the {what}, too: {', '.join(rest)}." if rest else "")


def _on_choosing_rows(result: Result) -> list[str]:
    rows = result.leaderboard.to_dicts()
    known = [row for row in rows if row["kind"] == "baseline" and row["score"] is not None]
    if not known:
        return []
    texts = numbers(row["score"] for row in known)
    listed = ", ".join(f"{short(row['name'])} {text}" for row, text in zip(known, texts, strict=True))
    return [f"The baselines on the same choosing rows: {listed}."]


def counts(result: Result) -> str:
    """How the recipes of this race ended.

    The drops of all rungs are counted together.
    """
    found: dict[str, int] = {}
    for outcome, count in result.about.get("outcomes", {}).items():
        name = re.sub(r" at rung \d+", "", outcome)
        found[name] = found.get(name, 0) + count
    order = ["finished", "stopped early", "dropped", "diverged", "out of time"]
    listed = [f"{found[name]} {name}" for name in sorted(found, key=lambda n: (order.index(n) if n in order else 9, n))]
    about = result.about
    recipes = f"{about['recipes']:,} recipe{'s' * (about['recipes'] != 1)}"
    return (
        f"{recipes} raced in {about['seconds']:.1f} s ({about['compile_seconds']:.1f} s of it compiling):"
        f" {', '.join(listed) or 'none started'}. {about['racer_steps']:,} racer-steps."
    )

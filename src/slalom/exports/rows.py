"""Rows for a network that Slalom trained: cells as numbers, words as places, columns in their scaling; NumPy alone."""

import math
import re
import zlib
from datetime import date, datetime, time, timedelta, timezone
from statistics import NormalDist

import numpy as np

BLANKS = {"", "na", "n/a", "#n/a", "<na>", "nan", "null", "?"}  # missing wherever they stand
DASHES = {"-", "none"}  # missing where a number or a date should be

# --- cells ------------------------------------------------------------------------------------------------------------


def absent(cell):
    """Whether a cell says that there is nothing."""
    if isinstance(cell, str):
        return cell.strip().lower() in BLANKS | DASHES
    return cell is None or cell != cell  # NaN and NaT are not equal to themselves


def number(cell, of):
    """A cell as a number, NaN where it is missing; dates count in days since 1970-01-01."""
    if absent(cell):
        return math.nan
    if of == "date":
        return days(cell)
    if isinstance(cell, str):
        text = cell.strip().lower()
        return {"true": 1.0, "false": 0.0}[text] if text in ("true", "false") else float(text)
    return float(cell)


def days(cell):
    """A date, a point in time, a length, a time of day or text of the first two, in days."""
    if isinstance(cell, str):
        cell = point(cell.strip().replace("/", "-"))
    if isinstance(cell, np.datetime64):
        return (cell - np.datetime64("1970-01-01", "us")) / np.timedelta64(86_400_000_000, "us")
    if isinstance(cell, np.timedelta64):
        return cell / np.timedelta64(86_400_000_000, "us")
    if isinstance(cell, timedelta):
        return cell.total_seconds() / 86400
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=cell.tzinfo or timezone.utc).timestamp() / 86400
    if isinstance(cell, date):
        return float((cell - date(1970, 1, 1)).days)
    if isinstance(cell, time):
        return (cell.hour * 3600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6) / 86400
    raise TypeError(f"{cell!r} is no date.")


def point(text):
    """A point in time from text such as 2024-05-01, 2024-5-1 12:30 or 2024-05-01T12:30:00.5+02:00."""
    try:
        return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        day, _, clock = text.replace("T", " ").rstrip("Z").partition(" ")
        year, month, day = map(int, day.split("-"))
        parts = [float(part) for part in clock.split(":")] if clock else []
        return datetime(year, month, day) + timedelta(seconds=sum(p * s for p, s in zip(parts, (3600, 60, 1))))


def word(cell):
    """A cell as text, None where it is missing; 1 and 1.0 are the same word."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, str):
        return None if cell.strip().lower() in BLANKS else cell
    if isinstance(cell, (bool, np.bool_)):
        return "true" if cell else "false"
    return str(int(cell)) if float(cell).is_integer() else str(float(cell))


def encoded(treatment, cells):
    """The numbers [N, k] that a column becomes."""
    kind = treatment["kind"]
    if kind in ("category", "code"):
        return levels(treatment, [word(cell) for cell in cells])
    if kind == "text":
        return hashed([word(cell) or "" for cell in cells], treatment["places"])
    if kind == "presence":
        return np.array([[float(absent(cell))] for cell in cells])
    x = np.array([number(cell, "date" if kind == "cycle" else treatment["of"]) for cell in cells])
    if kind == "number":
        return np.where(np.isnan(x), treatment["fill"], x)[:, None]
    angle = 2 * np.pi * ((np.floor(x) if treatment["whole"] else x) % treatment["period"]) / treatment["period"]
    return np.nan_to_num(np.round(np.stack([np.sin(angle), np.cos(angle)], axis=1), 9))


def levels(treatment, words):
    """Places [N, L] of levels, or their codes [N, 1]; unseen ones have the place of others, or none."""
    known = {level: k for k, level in enumerate(treatment["levels"])}
    lower = {level.lower(): k for level, k in known.items()} if set(words) <= {"true", "false", None} else {}
    other = len(known) if treatment["other"] else -1
    missing = len(known) + treatment["other"] if treatment["missing"] else -1
    place = np.array([missing if w is None else known.get(w, lower.get(w, other)) for w in words], int)
    count = len(known) + treatment["other"] + treatment["missing"]
    if treatment["kind"] == "code":
        return np.where(place < 0, count, place)[:, None].astype(float)
    return (place[:, None] == np.arange(count)).astype(float)


def hashed(texts, places):
    """Words and pairs of neighbouring words, counted in columns that a hash deals them to."""
    out = np.zeros((len(texts), places))
    for row, text in zip(out, texts):
        words = re.findall(r"[^\W_]+", text.lower())
        found = words + [f"{a} {b}" for a, b in zip(words, words[1:])]
        for h in (zlib.crc32(one.encode()) for one in found):
            row[h % places] += -1 if h >> 31 else 1
        row /= math.sqrt(max(len(found), 1))
    return out


# --- scaling ----------------------------------------------------------------------------------------------------------


def scaled(scaler, x):
    """Columns x [N, D] in a scaling; its numbers are those of the fit."""
    name, s = scaler["name"], scaler
    if name == "min_max":
        return s["low"] + (s["high"] - s["low"]) * ((x - s["minimum"]) / s["extent"])
    if name == "max_abs":
        return x / s["largest"]
    if name in ("z_score", "z_score_sigmoid"):
        u = (x - s["mean"]) / s["spread"]
        return u if name == "z_score" else sigmoid(u)
    if name in ("robust", "robust_clip"):
        u = (x - s["centre"]) / s["spread"]
        return u if name == "robust" else u / np.hypot(1, u / s["clip"])
    if name == "sigmoid":
        return sigmoid(x)
    if name == "power":
        bends = zip(x.T, s["power"], s["centre"], s["spread"])
        return np.stack([bent(column, p, c) / spread for column, p, c, spread in bends], axis=1)
    if name == "quantile_normal":
        ranks = [rank(column, q, s["references"]) for column, q in zip(x.T, s["quantiles"].T)]
        return np.clip(normal_quantile(np.stack(ranks, axis=1)), -NORMAL_END, NORMAL_END)
    return x  # none


def unscaled(scaler, z):
    """Targets z [N] back from the unit that the net learnt in."""
    name, s = scaler["name"], {k: v[0] if isinstance(v, np.ndarray) else v for k, v in scaler.items()}
    if name == "min_max":
        return s["minimum"] + s["extent"] * ((z - s["low"]) / (s["high"] - s["low"]))
    if name == "max_abs":
        return z * s["largest"]
    if name in ("sigmoid", "z_score_sigmoid"):
        u = np.log(z) - np.log1p(-z)
        return u if name == "sigmoid" else u * s["spread"] + s["mean"]
    if name == "z_score":
        return z * s["spread"] + s["mean"]
    if name == "robust":
        return z * s["spread"] + s["centre"]
    if name == "robust_clip":
        v = np.clip(z / s["clip"], -1, 1)
        return s["clip"] * v / np.sqrt((1 - v) * (1 + v)) * s["spread"] + s["centre"]
    if name == "power":
        return straightened(z * s["spread"], s["power"], s["centre"])
    if name == "quantile_normal":
        p = normal_share(z)
        p = np.where(p < 1e-7, 0.0, np.where(p > 1 - 1e-7, 1.0, p))
        return np.interp(p, scaler["references"], scaler["quantiles"][:, 0])
    return z


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -700, 700)))


def power_of(u, p):
    """((1 + u)^p − 1) / p, log(1 + u) for p = 0."""
    return np.log1p(u) if abs(p) < 1e-19 else np.expm1(p * np.log1p(u)) / p


def bent(x, p, c):
    """Yeo-Johnson's function with slope 1 and value 0 at c."""
    if c < 0:
        return -bent(-x, 2 - p, -c)
    above = (1 + c) * power_of((np.maximum(x, 0) - c) / (1 + c), p)
    return above - power_of(np.maximum(-x, 0), 2 - p) * math.exp(min((1 - p) * math.log1p(c), 700))


def straightened(y, p, c):
    """The x with bent(x, p, c) = y."""
    if c < 0:
        return -straightened(-y, 2 - p, -c)

    def root(v, q):
        beyond = v * q <= -1
        v = np.where(beyond, 0, v)
        return np.where(beyond, np.inf, np.expm1(v) if abs(q) < 1e-19 else np.expm1(np.log1p(v * q) / q))

    zero = float(bent(np.zeros(1), p, c)[0])
    below = root(np.maximum(zero - y, 0) / math.exp(min((1 - p) * math.log1p(c), 700)), 2 - p)
    return np.where(y < zero, -below, c + (1 + c) * root(np.maximum(y, zero) / (1 + c), p))


def rank(x, quantiles, references):
    """The share of training rows below each cell of a column."""
    low, high = quantiles[0], quantiles[-1]
    if high - low <= max(4 * np.finfo(float).eps * max(abs(low), abs(high)), 1e-308):
        return np.where(x < low, 0.0, np.where(x > high, 1.0, 0.5))
    from_left = np.interp(x, quantiles, references)
    from_right = -np.interp(-x, -quantiles[::-1], -references[::-1])
    between = np.clip((from_left + from_right) / 2, 0.0, 1.0)
    return np.where(x <= low, 0.0, np.where(x >= high, 1.0, between))


NORMAL_END = 5.199337582605575  # Φ⁻¹(1 − 1e-7)


def normal_share(z):
    """Φ(z)."""
    return 0.5 * np.vectorize(math.erfc, otypes=[float])(-np.asarray(z) / math.sqrt(2))


def normal_quantile(p):
    """Φ⁻¹(p)."""
    inverse = NormalDist().inv_cdf
    return np.vectorize(lambda share: inverse(min(max(share, 1e-300), 1 - 1e-16)), otypes=[float])(p)

"""The one exception of Slalom, and the one form of its sentences: where, what was wanted, what came, what to do."""

import difflib
from collections.abc import Iterable


class SlalomError(ValueError):
    """Something the caller gave cannot be used; the message is one sentence a person can act on.

    The command line prints the message and ends with exit code 2.
    """


class WrongKindError(SlalomError, TypeError):
    """A cell or an argument is of a kind that nothing can be made of."""


class RaceFailed(RuntimeError):  # noqa: N818 - the outcome of a race, named as one says it
    """The race ran and has nothing to return (every recipe diverged, or no time was left); exit code 1."""


def wrong(where: str, wanted: str, got: object, do: str = "") -> SlalomError:
    """Build the error `Where must be X. Got Y. Do Z.`

    >>> str(wrong("Adam(beta1=…)", "in [0, 1)", 1.2))
    'Adam(beta1=…) must be in [0, 1). Got 1.2.'
    """
    return SlalomError(f"{where} must be {wanted}. Got {got!r}." + (f" {do}" if do else ""))


def unknown(what: str, got: str, known: Iterable[str]) -> SlalomError:
    """Build the error for a name that is not one of the known ones, with the nearest of them.

    >>> str(unknown("rule", "adma", ["adam", "sgd"]))
    "rule must be one of adam, sgd. Got 'adma'. Did you mean 'adam'?"
    """
    names = list(known)
    near = nearest(got, names)
    shown = ", ".join(names[:60]) + (", …" if len(names) > 60 else "")
    return wrong(what, f"one of {shown}", got, f"Did you mean {near!r}?" if near else "")


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The known word that a typing error of `word` most likely meant, or None.

    >>> nearest("median_hous_value", ["ocean", "median_house_value"])
    'median_house_value'
    """
    by_lower = {w.lower(): w for w in words}
    meant = str(word).lower()
    found = difflib.get_close_matches(meant, list(by_lower), n=3, cutoff=0.6)
    turned = [known for known in found if sorted(known) == sorted(meant)]  # letters changed places
    return by_lower[(turned or found)[0]] if found else None

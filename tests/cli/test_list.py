"""`slalom list`: a table of a kind, the entry of a part, both as JSON, and one sentence for what is unknown."""

import json
import re

import pytest

from slalom import layers, rules, scaling, schedules

from .command import slalom


@pytest.mark.parametrize(
    ("kind", "registry"),
    [
        ("rules", rules.REGISTRY),
        ("schedules", schedules.REGISTRY),
        ("scalers", scaling.REGISTRY),
        ("layers", layers.REGISTRY),
        ("activations", layers.ACTIVATIONS),
        ("initialisers", layers.INITIALISERS),
    ],
)
def test_every_part_is_listed(kind, registry, tmp_path):
    """A line for every name of the registry, and the same names in JSON."""
    done = slalom("list", kind, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(registry) <= {line.split(" ")[0] for line in done.stdout.splitlines()}
    told = json.loads(slalom("list", kind, "--json", cwd=tmp_path).stdout)
    assert set(registry) <= {about["name"] for about in told}


def test_full_shows_formula_settings_and_paper_of_every_part(tmp_path):
    """`--full` gives every part's formula, settings with their ranges, and source, and none of the long text."""
    text = slalom("list", "rules", "--full", cwd=tmp_path).stdout
    heads = re.findall(r"^(\w+): .*\nSource: .*", text, re.MULTILINE)
    assert heads == list(rules.REGISTRY)
    assert re.search(
        r"^nadam: .*?\n    μ = β₁ .*?\n  momentum_decay +0\.004 +\[0, inf\)", text, re.MULTILINE | re.DOTALL
    )
    assert "beta1, beta2: how much" not in text


def test_an_entry_has_formula_settings_and_paper(tmp_path):
    """The whole entry of Adam, as text and as JSON."""
    text = slalom("list", "rules", "adam", cwd=tmp_path).stdout
    assert text.startswith("adam: Adam\nSource: Kingma & Ba 2015, https://arxiv.org/abs/1412.6980")
    assert "\n    m ← β₁ m + (1 − β₁) g\n" in text
    assert re.search(r"^  beta1 +0\.9 +\[0, 1\) +how much of the past", text, re.MULTILINE)
    told = json.loads(slalom("list", "rules", "adam", "--json", cwd=tmp_path).stdout)
    assert told["settings"][0] | {"meaning": "", "search": []} == {
        "name": "beta1", "default": 0.9, "interval": "[0, 1)", "meaning": "", "search": [], "kind": "setting",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rule"], r"KIND must be one of rules, .* Got 'rule'\. Did you mean 'rules'\?"),
        (["rules", "adma"], r"NAME of rules must be one of .* Got 'adma'\. Did you mean 'adam'\?"),
        ([], r"Missing argument 'KIND'\. See slalom list --help\."),
    ],
)
def test_what_is_unknown_is_refused(arguments, sentence, tmp_path):
    """One sentence on stderr, nothing on stdout, exit code 2."""
    done = slalom("list", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(sentence, done.stderr.strip())

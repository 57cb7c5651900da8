"""The judge of the comparison: what a contestant is given, what counts, and that nothing is run twice."""

import argparse
import json
import os
import platform
import sys
import time

import numpy as np
import polars as pl
import pytest
import sklearn.metrics
from benchmarks import equal_time
from benchmarks.equal import costs, judge, sets
from benchmarks.equal.task import Task

RNG = np.random.default_rng(0)
IRIS = sets.SKLEARN["iris"]()


def laid_out(folder, seconds=60.0):
    judge.lay_out(IRIS, 0, folder, seconds, 2)
    return judge.begin(folder)


def probabilities(rows, seed):
    p = np.random.default_rng(seed).random((len(rows), 3))
    return p / p.sum(1, keepdims=True)


def test_metrics_are_those_of_scikit_learn():
    y, p = RNG.integers(0, 3, 50), probabilities(range(50), 1)
    assert costs.log_loss(y, p) == pytest.approx(sklearn.metrics.log_loss(y, p), rel=1e-12)
    assert costs.accuracy(y, p) == sklearn.metrics.accuracy_score(y, p.argmax(1))
    assert costs.rmse(y, p[:, 0]) == pytest.approx(sklearn.metrics.root_mean_squared_error(y, p[:, 0]), rel=1e-12)
    assert costs.log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(-np.log(1e-7), rel=1e-6)
    assert costs.cost("accuracy", y, p) == -costs.accuracy(y, p)
    assert costs.cost("rmse", y, np.full(50, np.nan)) == np.inf


def test_a_contestant_gets_all_rows_and_no_targets_of_test_rows(tmp_path):
    laid_out(tmp_path)
    task = Task.read(tmp_path)
    parts = IRIS.rows(0)
    for frame, rows in zip(task.frames, parts, strict=True):
        np.testing.assert_array_equal(frame.to_numpy(), IRIS.frame.to_numpy()[rows])
    np.testing.assert_array_equal(task.y, IRIS.target[parts[0]])
    np.testing.assert_array_equal(task.y_validation, IRIS.target[parts[1]])
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        *("task.json", "test.parquet", "train.npy", "train.parquet", "validation.npy", "validation.parquet")
    ]
    assert (task.metric, task.classes, task.seed, task.cores) == ("log_loss", 3, 0, 2)
    assert 0 < task.left() <= 60


def test_what_is_best_on_validation_rows_and_was_there_in_time_counts(tmp_path):
    """Of a label's answers the judge takes the best by validation rows, whatever the test rows say; late ones, broken
    ones, and those of another length or with NaN are as if they were not there."""
    began = laid_out(tmp_path)
    task = Task.read(tmp_path)
    _, validation, test = IRIS.rows(0)
    right = np.eye(3)[IRIS.target[validation]]
    blurred = [np.full((len(validation), 3), 1 / 3) * weight + right * (1 - weight) for weight in (0.9, 0.5, 0.1)]
    answers = [probabilities(test, seed) for seed in range(3)]
    for i in (0, 2, 1):  # the best is not the last
        task.save("nets", blurred[i], answers[i])
    task.save("other", blurred[0], answers[1])
    task.save("nets", right, answers[0])
    late = sorted(tmp_path.glob("*-5.npz"))[0]
    os.utime(late, (began + 61, began + 61))
    task.save("nets", right, np.full((len(test), 3), np.nan))
    task.save("nets", right[1:], answers[0])
    (tmp_path / "1-9.npz").write_bytes(b"PK broken")
    told = judge.judged(IRIS, 0, tmp_path, began + 60)
    assert told.keys() == {"nets", "other"}
    assert list(told["nets"]) == ["log_loss", "accuracy", "validation"]
    assert told["nets"]["log_loss"] == costs.log_loss(IRIS.target[test], answers[2])
    assert told["nets"]["accuracy"] == costs.accuracy(IRIS.target[test], answers[2])
    assert told["nets"]["validation"] == costs.log_loss(IRIS.target[validation], blurred[2])


def test_a_process_is_ended_with_all_that_it_started(tmp_path):
    """Behind the limit nothing of it lives: neither the process nor its child."""
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(tmp_path / 'alive')!r}).touch()"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    ended = judge.run([sys.executable, "-c", parent], 1.0)
    assert ended.code is None
    assert 1.0 <= ended.seconds < 10
    time.sleep(2)
    assert not (tmp_path / "alive").exists()


def contested(monkeypatch, code, seconds):
    """A run of a contestant that is a few lines of code, with its folder as the argument."""
    start = "import sys; from pathlib import Path; from benchmarks.equal.task import Task; import numpy as np\n"
    start += "task = Task.read(Path(sys.argv[1])); rows = [np.full((len(f), 3), 1 / 3) for f in task.frames[1:]]\n"
    monkeypatch.setattr(judge, "command_of", lambda name, *folder: [sys.executable, "-c", start + code, *folder])
    monkeypatch.setattr(judge, "GRACE", 0.5)
    return judge.contested(IRIS, "pretender", 0, seconds, 2, "")


def test_a_run_tells_what_was_left_and_how_it_ended(monkeypatch):
    run = contested(monkeypatch, "task.save('pretender', *rows); task.tell(tried=4)", 60.0)
    assert run["answers"]["pretender"]["log_loss"] == pytest.approx(np.log(3))
    assert (run["late"], run["code"], run["failure"], run["about"]) == (False, 0, "", {"tried": 4})
    assert time.strptime(run["began"], "%Y-%m-%dT%H:%M:%S%z")
    assert (run["set"], run["metric"], run["seed"], run["limit"]) == ("iris", "log_loss", 0, 60.0)
    assert 0 < run["seconds"] < 60


def test_a_late_process_counts_as_what_it_had_saved(monkeypatch):
    code = "task.save('pretender', *rows)\nimport time; time.sleep(60)"
    run = contested(monkeypatch, code, 3.0)
    assert (run["late"], run["code"], run["failure"], list(run["answers"])) == (True, None, "", ["pretender"])


def test_a_process_that_dies_is_told_with_its_last_word(monkeypatch):
    run = contested(monkeypatch, "raise ValueError('no luck')", 60.0)
    assert (run["answers"], run["code"], run["failure"]) == ({}, 1, "ValueError: no luck")
    run = contested(monkeypatch, "task.save('pretender', *rows); raise ValueError('too late')", 60.0)
    assert (list(run["answers"]), run["code"], run["failure"]) == (["pretender"], 1, "ValueError: too late")


def asked(tmp_path, **other):
    given = {
        "rtdl": None, "tables": None, "sets": ["iris", "wine"], "seconds": [9.0], "seeds": 2, "cores": 2, "again": [],
        "contestants": ["trees", "halving"], "programs": "", "json": tmp_path / "deep" / "runs.json",
    }  # fmt: skip
    return argparse.Namespace(**given | other)


def pretended(data, contestant, seed, seconds, cores, programs):
    return {
        "set": data.name, "metric": data.metric,
        "contestant": contestant, "seed": seed, "limit": seconds, "cores": cores, "seconds": 1.0,
        "late": False, "code": 0, "failure": "", "kept_programs": bool(programs), "about": {"tried": 1},
        "day": "2026-01-01",
        "answers": {contestant: {"log_loss": 0.5, "accuracy": 0.75, "validation": 0.5}},
    }  # fmt: skip


def test_what_is_there_is_not_run_again(tmp_path, monkeypatch, capsys):
    """A run that was cut off goes on where it was; a contestant that is asked for anew takes its old runs' places."""
    done = []

    def counted(data, contestant, seed, *rest):
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append((data.name, contestant, seed))
        return pretended(data, contestant, seed, *rest)

    monkeypatch.setattr(judge, "contested", counted)
    monkeypatch.setattr(judge, "can_run", lambda name: "")
    given = asked(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        equal_time.measured(given, equal_time.kept(given.json))
    assert len(json.loads(given.json.read_text())["runs"]) == 5
    done[:] = []
    equal_time.measured(given, equal_time.kept(given.json))
    assert done == [("iris", "halving", 1), ("wine", "trees", 1), ("wine", "halving", 1)]
    done[:] = []
    equal_time.measured(asked(tmp_path, again=["trees"]), equal_time.kept(given.json))
    assert [contestant for _, contestant, _ in done] == ["trees"] * 4
    assert len(equal_time.kept(given.json)["runs"]) == 8
    assert "iris, seed 0, trees: trees log_loss 0.5" in capsys.readouterr().out


def test_a_run_that_broke_off_is_tried_again_and_one_that_left_nothing_is_not(tmp_path, monkeypatch, capsys):
    """Its record says so, and how often it was tried; every record names the commit and the machine."""
    ends, done = {9.0: (1, "ValueError: no luck"), 30.0: (None, "it left nothing in time")}, []

    def ended(data, contestant, seed, seconds, *rest):
        done.append(seconds)
        code, failure = ends.get(seconds, (0, ""))
        run = pretended(data, contestant, seed, seconds, *rest) | {"code": code, "failure": failure}
        return run | ({"answers": {}} if failure else {})

    monkeypatch.setattr(judge, "contested", ended)
    monkeypatch.setattr(judge, "can_run", lambda name: "")
    given = asked(tmp_path, sets=["iris"], seeds=1, contestants=["slalom"], seconds=[9.0, 30.0, 60.0])
    for tries in (1, 2):
        equal_time.measured(given, equal_time.kept(given.json))
        broken, slow, well = sorted(equal_time.kept(given.json)["runs"], key=lambda run: run["limit"])
        assert (broken["attempt"], broken["failure"]) == (tries, "ValueError: no luck")
        assert (slow["attempt"], well["attempt"]) == (1, 1)
    assert done == [9.0, 30.0, 60.0, 9.0]
    assert "iris, seed 0, slalom: FAILED: ValueError: no luck (1.0 s, 1 tried)" in capsys.readouterr().out
    ends.clear()
    equal_time.measured(given, equal_time.kept(given.json))
    held = equal_time.kept(given.json)
    assert [(run["attempt"], run["failure"]) for run in held["runs"] if run["limit"] == 9.0] == [(3, "")]
    for run in held["runs"]:
        assert run["machine"]["processor"] == held["machine"]["processor"]
        assert run["commit"] == equal_time.commit()
        assert run["source"] == equal_time.source_of("slalom")


def test_a_run_of_an_older_record_has_the_machine_that_its_file_was_made_on(tmp_path):
    """Also when the file goes on under newer packages."""
    old = equal_time.measure.machine() | {"jax": "0.0.1"}
    file = tmp_path / "runs.json"
    file.write_text(json.dumps({"machine": old, "runs": [{"seed": 0}, {"seed": 1, "machine": {"jax": "0.0.2"}}]}))
    held = equal_time.kept(file)
    assert [run["machine"]["jax"] for run in held["runs"]] == ["0.0.1", "0.0.2"]
    assert held["machine"] == equal_time.measure.machine()
    assert platform.release() not in held["machine"]["system"]


def test_runs_of_another_machine_and_unknown_sets_are_refused(tmp_path, monkeypatch):
    given = asked(tmp_path, json=tmp_path / "runs.json")
    given.json.write_text(json.dumps({"machine": {"processor": "abacus", "cores": 2}, "runs": []}))
    with pytest.raises(SystemExit, match="holds runs of another machine \\(abacus\\)"):
        equal_time.kept(given.json)
    with pytest.raises(SystemExit, match="There is no set 'iriss'"):
        equal_time.measured(asked(tmp_path, sets=["iriss"]), {"runs": []})


def test_frames_of_numbers_and_words_reach_the_contestant_as_they_are(tmp_path):
    """Missing cells stay missing on the way."""
    frame = pl.DataFrame({"n": [1.0, None] * 10, "w": ["a", None] * 10})
    data = sets.DataSet("made", frame, np.arange(20.0), (), "rmse")
    judge.lay_out(data, 0, tmp_path, 1.0, 1)
    judge.begin(tmp_path)
    for given, rows in zip(Task.read(tmp_path).frames, data.rows(0), strict=True):
        assert given.rows() == frame[rows].rows()

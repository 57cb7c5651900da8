"""Who does what next: the queue of tasks that compile and tasks that race, and the threads that take them."""

import math
import threading
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slalom.executor import Queue, Task, Threads


@given(workers=st.integers(1, 16), compiles=st.integers(0, 9), races=st.integers(0, 30))
@settings(max_examples=80, deadline=None)
def test_half_of_the_workers_compile_at_most(workers, compiles, races):
    """Where workers take one task each, half of them compile, one at least, more only when nothing else is there; each
    kind goes by its priority, and nothing is lost."""
    tasks = [Task(-i, int, kind) for kind, n in (("compile", compiles), ("race", races)) for i in range(n)]
    queue, taken = Queue(tasks), []
    while queue and len(taken) < workers:
        compiling = sum(task.kind == "compile" for task in taken)
        taken.append(queue.pop(compiling, workers))
    count = Counter(task.kind for task in taken)
    assert count["compile"] == max(min(compiles, max(1, workers // 2)), min(compiles, workers - races))
    while queue:
        taken.append(queue.pop(0, workers))
    for kind in ("compile", "race"):
        order = [task.priority for task in taken if task.kind == kind]
        assert order == sorted(order)
    assert len(taken) == compiles + races


def test_equal_tasks_go_in_their_order():
    """Of tasks that are equally urgent the one that came first is taken first."""
    works = [lambda i=i: i for i in range(5)]
    queue = Queue([Task(1, work) for work in works])
    assert [queue.pop(0, 2).work for _ in works] == works


def test_some_race_while_others_compile():
    """Four workers compile two programs at a time while racers wait, and all four when none do; all is done."""
    lock, now, seen, done = threading.Lock(), Counter(), [], []
    last = threading.Barrier(4)

    def work(kind, alone=False):
        with lock:
            now[kind] += 1
            seen.append(now["compile"])
        last.wait(20) if alone else time.sleep(0.01)
        with lock:
            now[kind] -= 1
            done.append(kind)

    busy = [Task(0, lambda: work("compile"), "compile") for _ in range(4)]
    busy += [Task(0, lambda: work("race")) for _ in range(60)]
    assert Threads(4).run(busy, deadline=math.inf, tick=lambda: None)
    assert max(seen) == 2
    assert Counter(done) == {"compile": 4, "race": 60}
    idle = [Task(0, lambda: work("compile", alone=True), "compile") for _ in range(4)]
    assert Threads(4).run(idle, deadline=time.perf_counter() + 20, tick=lambda: None)
    assert len(done) == 68


def test_a_task_that_fails_is_the_last():
    """The failure of a task, of one that compiles too, is raised, and nothing that waits is started."""
    done = []
    tasks = [Task(0, lambda: 1 / 0, "compile"), *(Task(i, lambda: done.append(1)) for i in range(3))]
    with pytest.raises(ZeroDivisionError):
        Threads(1).run(tasks, deadline=math.inf, tick=lambda: None)
    assert not done


def test_only_compiling_that_nobody_races_beside_counts():
    """Compile seconds are those in which no racer advanced, also of what the deadline cut off."""
    racing, end = threading.Event(), threading.Event()
    alone, beside = Threads(2), Threads(2)
    began = time.perf_counter()
    assert not alone.run([Task(0, lambda: end.wait(20), "compile")], deadline=began + 0.3, tick=lambda: None)
    assert 0.25 < alone.compile_seconds <= time.perf_counter() - began
    end.set()
    over = threading.Event()

    def compiling():
        racing.wait(20)
        time.sleep(0.4)
        over.set()

    def race():
        racing.set()
        over.wait(20)

    tasks = [Task(0, compiling, "compile"), Task(0, race)]
    assert beside.run(tasks, deadline=math.inf, tick=lambda: None)
    assert beside.compile_seconds < 0.2


def test_every_worker_begins_at_its_own_seat():
    """Each worker's thread begins once, with its number, before its first task."""
    begun, seen = [], set()
    executor = Threads(3, lambda number: begun.append((number, threading.get_ident())))
    tasks = [Task(0, lambda: seen.add(threading.get_ident())) for _ in range(30)]
    assert executor.run(tasks, deadline=math.inf, tick=lambda: None)
    assert sorted(number for number, _ in begun) == [0, 1, 2]
    assert seen <= {thread for _, thread in begun}

"""Who does the work: the protocol of an executor, and one of threads, one a core."""

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol


class Task(NamedTuple):
    """Something to do. Less urgent tasks have a larger priority; a task may answer with tasks that it made possible."""

    priority: int
    work: Callable[[], "Iterable[Task] | None"]
    kind: str = "race"  # or "compile": what the time is booked under


class Executor(Protocol):
    """Runs tasks until none is left, or until told to stop."""

    workers: int
    compile_seconds: float

    def run(self, tasks: Iterable[Task], *, deadline: float, tick: Callable[[], None]) -> bool:
        """Run tasks and those they answer with; True if all of them ended. deadline: time.perf_counter() at which
        waiting ends; tick: called a few times a second by the calling thread."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait for the tasks that were under way when `run` was left by an exception, at most so long."""
        ...


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Queue:
    """Tasks that wait, the most urgent first; of those that compile, half of the workers take care at most, as long as
    there is something else to do."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._numbers = itertools.count()
        self._heaps: dict[str, list[tuple[int, int, Task]]] = {"compile": [], "race": []}
        for task in tasks:
            self.push(task)

    def __len__(self) -> int:
        return sum(map(len, self._heaps.values()))

    def push(self, task: Task) -> None:
        """Let a task wait."""
        heapq.heappush(self._heaps[task.kind], (task.priority, next(self._numbers), task))

    def pop(self, compiling: int, workers: int) -> Task:
        """Take the next task, with so many being compiled now."""
        compile_it = self._heaps["compile"] and (compiling < max(1, workers // 2) or not self._heaps["race"])
        return heapq.heappop(self._heaps["compile" if compile_it else "race"])[2]


class Threads:
    """One Python thread a core. The compiled programs run outside the interpreter's lock, so the threads do not wait
    for each other."""

    def __init__(self, workers: int | None = None, begin: Callable[[int], None] = lambda worker: None) -> None:
        """begin: called by each worker's thread, with its number, before its first task."""
        self.workers, self._begin = workers or cores(), begin
        self.compile_seconds = 0.0  # wall time in which something was compiled and no racer advanced
        self._running = {"compile": 0, "race": 0}
        self._since = time.perf_counter()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Condition()

    def run(self, tasks: Iterable[Task], *, deadline: float, tick: Callable[[], None]) -> bool:
        """See `Executor.run`; the first exception of a task is raised here."""
        failures = list[BaseException]()
        queue = Queue(tasks)
        busy, closed = 0, False

        def worker(number: int) -> None:
            nonlocal busy
            self._begin(number)
            while True:
                with self._lock:
                    while not queue and busy and not closed:
                        self._lock.wait()
                    if closed or failures or not queue:
                        self._lock.notify_all()
                        return
                    task = queue.pop(compiling=self._running["compile"], workers=self.workers)
                    busy += 1
                    self._book(task.kind, 1)
                more: list[Task] = []
                try:
                    more = list(task.work() or ())
                except BaseException as error:  # noqa: BLE001 - handed to the caller of run
                    failures.append(error)
                with self._lock:
                    for new in more:
                        queue.push(new)
                    busy -= 1
                    self._book(task.kind, -1)
                    self._lock.notify_all()

        threads = [
            threading.Thread(target=worker, args=(i,), daemon=True, name=f"slalom-{i}") for i in range(self.workers)
        ]
        self._threads = threads
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads) and time.perf_counter() < deadline:
                with self._lock:
                    if (queue or busy) and not failures:
                        self._lock.wait(timeout=0.1)
                tick()
                for thread in threads if not (queue or busy) else ():
                    thread.join(timeout=0.1)
        finally:
            closed = True
            with self._lock:
                self._book("race", 0)  # what is being compiled still counts
                self._lock.notify_all()
        if failures:
            raise failures[0]
        return not any(thread.is_alive() for thread in threads)

    def wait(self, seconds: float) -> None:
        """See `Executor.wait`."""
        until = time.perf_counter() + seconds
        for thread in self._threads:
            if thread.ident is None:  # Ctrl-C came before it was started
                continue
            thread.join(timeout=max(0.0, until - time.perf_counter()))

    def _book(self, kind: str, change: int) -> None:
        now = time.perf_counter()
        if self._running["compile"] and not self._running["race"]:
            self.compile_seconds += now - self._since
        self._since = now
        self._running[kind] += change

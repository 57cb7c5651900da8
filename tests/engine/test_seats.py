"""Seats: the same racer at any of them, one program loaded everywhere, one copy of the data, and the usual device."""

import ctypes
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

from slalom import program, seats
from slalom.crew import Crew

from .heats import STEPS, bits, compiled, heat_of, kinds, racer

COMPILE = program._compiled
pytestmark = pytest.mark.skipif(jax.default_backend() != "cpu", reason="elsewhere all workers share one client")


def at_seat(seat, work):
    """What `work` answers in a thread that sits at a seat."""
    answers = []

    def sit():
        seats.take(seat)
        answers.append(work())

    thread = threading.Thread(target=sit)
    thread.start()
    thread.join()
    return answers[0]


@pytest.fixture
def compilations(monkeypatch):
    """The devices that something was compiled for; no program is kept from other tests."""
    asked = []
    monkeypatch.setenv("SLALOM_CACHE", "off")
    monkeypatch.setattr(program, "_compiled", lambda plan, device: asked.append(device) or COMPILE(plan, device))
    return asked


def fresh():
    """A heat without its program."""
    return heat_of("regression", depth=1, activation="tanh")


def pair():
    return [racer(number=1, dropout=0.3), racer(number=2, scaling="quantile_normal")]


def trained(heat, *stops):
    """Two racers after a training, as bytes and scores."""
    racers = pair()
    for stop in stops or (STEPS,):
        Crew(heat, racers).advance(stop, [10, 55], lambda: False)
    return [(bits(one), one.costs) for one in racers]


# --- one program, many seats ------------------------------------------------------------------------------------------


def test_a_racer_is_the_same_at_every_seat(compilations):
    """The same racers have the same bits and scores at three seats, for which one program was compiled."""
    heat = at_seat(0, lambda: compiled(fresh(), ["adam"], 2))
    found = [at_seat(seat, lambda: trained(heat)) for seat in (0, 1, 2)]
    assert found[0] == found[1] == found[2]
    assert [len(costs) for _, costs in found[0]] == [3, 3]
    assert compilations == [at_seat(0, seats.device)]
    programs = [at_seat(seat, lambda: heat.program) for seat in (0, 1, 2, 1)]
    assert programs[1] is programs[3]
    assert len({id(one) for one in programs}) == 3
    assert max(one.seconds for one in programs[1:]) < programs[0].seconds  # to load is not to compile
    assert {leaf.devices().pop() for leaf in at_seat(2, lambda: jax.tree.leaves(Crew(heat, pair()).knobs))} == {
        at_seat(2, seats.device)
    }


def test_a_racer_may_change_its_seat(compilations):
    """A racer that goes on at another seat after each rung has the bits of one that stays."""
    heat = at_seat(1, lambda: compiled(fresh(), ["adam"], 2))
    staying = at_seat(1, lambda: trained(heat, 20, 50, STEPS))
    wanderers = pair()
    for seat, stop in ((0, 20), (2, 50), (1, STEPS)):
        at_seat(seat, lambda stop=stop: Crew(heat, wanderers).advance(stop, [10, 55], lambda: False))
    assert [(bits(one), one.costs) for one in wanderers] == staying
    assert compilations == [at_seat(1, seats.device)]


def test_a_program_without_bytes_is_compiled_at_each_seat(compilations, monkeypatch):
    """Where JAX cannot turn a program into bytes, or not back, each seat compiles for itself, to the same bits."""
    monkeypatch.setattr(program, "_serialised", lambda executables: [])
    heat = at_seat(0, lambda: compiled(fresh(), ["adam"], 2))
    assert at_seat(1, lambda: trained(heat)) == at_seat(0, lambda: trained(heat))
    assert compilations == [at_seat(0, seats.device), at_seat(1, seats.device)]
    heat.programs._kept = [b"rubbish"] * 2
    assert at_seat(2, lambda: trained(heat)) == at_seat(0, lambda: trained(heat))
    assert len(compilations) == 3


@pytest.mark.parametrize("error", [RuntimeError("RESOURCE_EXHAUSTED"), MemoryError(), ValueError("no such")])
def test_where_no_program_can_be_had_its_thread_joins_the_first_seat(compilations, monkeypatch, error):
    """A worker at whose seat the program can be neither loaded nor compiled trains the same bits at the first one's
    seat, and sits there from then on."""
    heat = at_seat(0, lambda: compiled(fresh(), ["adam"], 2))

    def fails(plan, device):
        raise error

    monkeypatch.setattr(program, "_loaded", lambda *_: None)
    monkeypatch.setattr(program, "_compiled", fails)
    wanted, home = at_seat(0, lambda: (trained(heat), seats.device()))
    assert at_seat(1, lambda: (trained(heat), seats.device())) == (wanted, home)
    assert at_seat(1, seats.device) != home  # it is that thread which moved, not the seat
    assert heat.programs.troubles == {at_seat(1, seats.device): error}
    monkeypatch.setattr(program, "_compiled", COMPILE)  # and the next thread does not try again
    with ThreadPoolExecutor(2) as both:  # two of them there at once
        runs = [both.submit(at_seat, 1, lambda: (trained(heat), seats.device())) for _ in range(4)]
        assert [run.result() for run in runs] == 4 * [(wanted, home)]


def test_workers_that_ask_at_once_wait_for_the_first(compilations):
    """Workers of all seats that ask for a program at the same moment have it compiled once."""
    heat = fresh()
    x, y = heat.data.tree
    plan = program.Blueprint(heat.structure, kinds(["sgd"]), x.shape, y.shape, 15, 2, 1)
    programs, gate, got = program.Programs(plan), threading.Barrier(3), []

    def ask(seat):
        seats.take(seat)
        gate.wait()
        got.append(programs.here())

    threads = [threading.Thread(target=ask, args=(seat,)) for seat in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in got}) == 3
    assert len(compilations) == 1


# --- devices ----------------------------------------------------------------------------------------------------------


def test_every_seat_has_a_client_of_its_own():
    """Seats have clients of their own, which stay; whoever took none sits at seat 0."""
    devices = [at_seat(seat, seats.device) for seat in (0, 1, 2, 0, 1)]
    assert len({id(device.client) for device in devices[:3]}) == 3
    assert devices[3:] == devices[:2]
    thread = []
    worker = threading.Thread(target=lambda: thread.append(seats.device()))
    worker.start()
    worker.join()
    assert thread == devices[:1]


@pytest.mark.parametrize("before", [None, "7"])
def test_a_client_has_one_thread(monkeypatch, before):
    """While a client is made the variable says one thread, and afterwards what it said before."""
    from jaxlib import xla_client

    seen = []
    make = xla_client.make_cpu_client
    spy = lambda **given: seen.append(os.environ[seats.THREADS]) or make(**given)  # noqa: E731
    monkeypatch.setattr(xla_client, "make_cpu_client", spy)
    monkeypatch.delenv(seats.THREADS, raising=False)
    if before:
        monkeypatch.setenv(seats.THREADS, before)
    assert seats._made().client is not jax.local_devices()[0].client
    assert seen == ["1"]
    assert os.environ.get(seats.THREADS) == before


@pytest.mark.parametrize("failure", [ImportError, TypeError, RuntimeError])
def test_without_clients_all_sit_at_the_usual_device(monkeypatch, failure):
    """Where JAX makes no client all seats are the usual device, and the variable is as before."""
    from jaxlib import xla_client

    def refused(**_):
        raise failure("not in this JAX")

    monkeypatch.setattr(xla_client, "make_cpu_client", refused)
    monkeypatch.setattr(seats, "_devices", [])
    monkeypatch.delenv(seats.THREADS, raising=False)
    devices = {at_seat(seat, seats.device) for seat in (0, 1)}
    assert devices == {jax.local_devices()[0]}
    assert seats.THREADS not in os.environ


def test_racers_train_at_the_usual_device(monkeypatch, compilations):
    """At the usual device, which all seats share, racers are trained to the same bits at each, and to the same scores
    as at seats of their own."""
    own = at_seat(1, lambda: trained(compiled(fresh(), ["adam"], 2)))
    monkeypatch.setattr(seats, "_made", lambda: jax.local_devices()[0])
    monkeypatch.setattr(seats, "_devices", [])
    heat = at_seat(0, lambda: compiled(fresh(), ["adam"], 2))
    usual = [at_seat(seat, lambda: trained(heat)) for seat in (0, 1)]
    assert usual[0] == usual[1]
    assert compilations[1:] == [jax.local_devices()[0]]
    for (_, costs), (_, there) in zip(own, usual[0], strict=True):
        # Its threads may add in another order: float32 over a hundred steps.
        np.testing.assert_allclose(list(costs.values()), list(there.values()), rtol=1e-4)


# --- memory -----------------------------------------------------------------------------------------------------------


def test_all_seats_read_one_copy():
    """Arrays that begin where a device wants them lie in memory once, whichever seat asks for them."""
    table = seats.blank((1000, 8))
    table[:] = np.random.default_rng(0).normal(size=table.shape)
    placed = seats.Placed({"x": table})
    there = [at_seat(seat, placed.here)["x"] for seat in (0, 1, 2)]
    assert {array.unsafe_buffer_pointer() for array in there} == {table.ctypes.data}
    assert len({array.devices().pop() for array in there}) == 3
    assert at_seat(1, placed.here)["x"] is there[1]
    np.testing.assert_array_equal(there[2], table)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.uint8])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (64,), (7, 8)])
def test_blank_is_zeros_at_a_multiple_of_64(shape, dtype):
    """Blank arrays are zeros of the shape and type asked for, writable, and begin at a multiple of 64 bytes."""
    for _ in range(5):
        made = seats.blank(shape, dtype)
        assert (made.shape, made.dtype) == (shape, dtype)
        assert not made.any()
        assert made.ctypes.data % 64 == 0
        assert made.flags.writeable
        assert made.flags.c_contiguous


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_is_free_is_given_back():
    """Memory that was freed behind something still in use goes back to the system."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "malloc_trim"):
        pytest.skip("this C library cannot")
    libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    size, count = 60_000, 1500  # below what malloc asks the system for one by one: 90 MB
    blocks = [libc.malloc(size) for _ in range(count)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks[:-1]:
        libc.free(block)
    before = resident()
    seats.give_back()
    after = resident()
    libc.free(blocks[-1])
    assert before - after > 0.5 * size * count


def resident():
    """Bytes of this process that lie in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("library", ["none", "without"])
def test_a_c_library_that_cannot_give_back_is_no_failure(monkeypatch, library):
    """Without a C library, or with one that keeps what is free, nothing happens."""

    def opened(_):
        if library == "none":
            raise OSError("no such library")
        return object()

    monkeypatch.setattr(ctypes, "CDLL", opened)
    assert seats.give_back() is None

"""Small matrices are multiplied by one thread, whoever else is at work."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from lupom.blas import one_thread, set_threads

threadpoolctl = pytest.importorskip("threadpoolctl")


def shared() -> list[dict]:
    """Return what is known of each BLAS whose number of threads is the process's."""
    pools = threadpoolctl.threadpool_info()
    return [p for p in pools if p["user_api"] == "blas" and p["threading_layer"] == "pthreads"]


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in shared()}


@pytest.fixture(autouse=True)
def two_threads():
    """Two threads, whatever the machine has; nobody holds them."""
    assert np.ones((2, 2)) @ np.ones((2, 2)) is not None
    pools = shared()
    set_threads({pool["filepath"]: 2 for pool in pools})
    yield
    set_threads({pool["filepath"]: pool["num_threads"] for pool in pools})


def test_inside_there_is_one_and_afterwards_what_was_before():
    before = blas_threads()
    with one_thread():
        assert blas_threads() == {1}
        with one_thread():
            assert blas_threads() == {1}
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_who_leaves_first_ends_nothing_for_who_is_still_at_work():
    def other():
        with one_thread():
            pass

    before = blas_threads()
    with one_thread():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert blas_threads() == {1}
    assert blas_threads() == before


def test_an_error_restores_them_too():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), one_thread():
        raise ZeroDivisionError
    assert blas_threads() == before


LATER = """
import numpy
from lupom.blas import one_thread
from threadpoolctl import threadpool_info

blas = lambda: [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
with one_thread():
    import scipy.linalg

    assert len(blas()) == 2
    with one_thread():
        print(blas())
print(blas())
"""


def test_a_blas_that_is_loaded_meanwhile_is_limited_by_who_comes_next():
    said = subprocess.run(
        [sys.executable, "-c", LATER],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split("\n")[:2] == ["[1, 1]", "[2, 2]"]


TURNS = """
from concurrent.futures import ThreadPoolExecutor

import numpy
from lupom.blas import one_thread
from threadpoolctl import threadpool_info

blas = lambda: [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

def work():
    with one_thread():
        print(blas())
    print(blas())

# Two threads that live at the same time, as those of a run do.
with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
    for thread in (one, other, one, other):
        thread.submit(work).result()
"""


def test_it_holds_for_one_thread_after_another():
    """threadpoolctl heeds of two threads the one that limited OpenBLAS first."""
    said = subprocess.run(
        [sys.executable, "-c", TURNS],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split("\n")[:-1] == ["[1]", "[2]"] * 4


def test_whoever_holds_a_limit_around_it_keeps_theirs():
    with threadpoolctl.threadpool_limits(limits=2, user_api="blas"):
        with one_thread():
            pass
        assert blas_threads() == {2}
    # And afterwards others may set it again.
    with one_thread():
        assert blas_threads() == {1}
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):
        assert blas_threads() == {1}
    assert blas_threads() == {2}


OF_EACH = """
from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy
from lupom.blas import one_thread
from threadpoolctl import threadpool_info

def blas():
    return sorted(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")

assert {p.get("threading_layer") for p in threadpool_info()} >= {"openmp", "pthreads"}

def work():
    print(blas())
    with one_thread():
        print(blas())
    print(blas())

with ThreadPoolExecutor(1) as thread:
    thread.submit(work).result()
work()
"""


def test_a_blas_of_which_each_thread_has_its_own_number_is_limited_in_each():
    """That of faiss is built with OpenMP, as conda's may be."""
    pytest.importorskip("faiss")
    said = subprocess.run(
        [sys.executable, "-c", OF_EACH],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split("\n")[:-1] == ["[2, 2]", "[1, 1]", "[2, 2]"] * 2

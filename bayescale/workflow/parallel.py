"""Independent pieces of work, several at once, each in a process of its own and handed back once it is done."""

from __future__ import annotations

import multiprocessing.resource_tracker
import signal
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bayescale.errors import BayescaleError


def share_of_cores(jobs: int) -> int:
    """Cores of each of so many processes at once."""
    import joblib

    return max(1, joblib.cpu_count() // jobs)


def in_processes[T](
    work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], jobs: int
) -> Generator[tuple[int, T]]:
    """Call ``work(*task)`` for every task, so many at once, each in a process of its own.

    Parameters
    ----------
    work : callable
        A function of a module.
    tasks : sequence of tuple
        Its arguments.
    jobs : int
        Processes at once.

    Yields
    ------
    tuple
        Position of a task and its result, in the order in which they are done. Leaving early ends the processes: close
        the iterator (:func:`contextlib.closing`).

    Raises
    ------
    BayescaleError
        If a process is killed from outside. An error of the work is raised here as it was there.
    """
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    call = joblib.delayed(_placed)
    with _shielded():
        done = parallel(call(work, i, task) for i, task in enumerate(tasks))
    try:
        yield from done
    except TerminatedWorkerError:
        raise BayescaleError(
            f"one of {jobs} processes was killed, as a system does that is short of memory; take fewer jobs"
        ) from None
    finally:
        with warnings.catch_warnings():
            # That what is left was stopped is what closing is for.
            warnings.simplefilter("ignore", UserWarning)
            done.close()


def _placed[T](work: Callable[..., T], at: int, task: tuple[Any, ...]) -> tuple[int, T]:
    return at, work(*task)


@contextmanager
def _shielded() -> Iterator[None]:
    """Processes that are started here never see Ctrl-C, which a terminal sends to all; the one that asked ends them.

    What is blocked is inherited, also by the thread that starts processes later. Here Ctrl-C waits, and then acts.
    """
    from joblib.externals.loky.backend import resource_tracker as joblib_tracker

    if not hasattr(signal, "pthread_sigmask"):
        yield  # Windows
        return
    # Both, once they start, would unblock it.
    for tracker in (multiprocessing.resource_tracker, joblib_tracker):
        tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

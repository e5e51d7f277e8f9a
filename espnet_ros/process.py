"""Settings for the whole process: how OpenMP's threads wait, and what the C library does with freed memory.

Memory settings are those of glibc; with other C libraries they do nothing.
"""
import ctypes
import os

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8  # malloc.h


def tune_process():
    """Set what must be set before PyTorch is loaded and threads begin; programs call it first."""
    for name, value in thread_settings(os.environ).items():
        os.environ[name] = value
    # One arena for all threads: those after the first would give back whatever is freed.
    _call('mallopt', _ARENA_MAX, 1)


def thread_settings(environment):
    """Return the variables to add to a process's environment so that OpenMP's threads soon sleep when they wait.

    By default they spin between two layers: on two cores with one other busy process, an image then takes 440 ms
    instead of 75. Empty where the environment says itself how they wait.
    """
    if 'OMP_WAIT_POLICY' in environment or 'GOMP_SPINCOUNT' in environment:
        return {}
    return {'GOMP_SPINCOUNT': '1000'}


def keep_freed_memory():
    """Keep what is freed from now on: given back, the 200 MB of a frame of 1024x512 would be faulted in each time.

    With PyTorch on a CPU such a frame takes 120 ms without this, and 70 with it (fp32, two cores).
    """
    _call('mallopt', _MMAP_THRESHOLD, 1 << 30)
    _call('mallopt', _TRIM_THRESHOLD, (1 << 31) - 1)


def return_freed_memory():
    """Give back from now on what is freed of any size that counts, and what is free at this moment.

    For an engine with memory of its own: what PyTorch takes while it verifies one peaks 100 MB lower so (1024x512).
    """
    _call('mallopt', _MMAP_THRESHOLD, 1 << 20)
    _call('mallopt', _TRIM_THRESHOLD, 1 << 20)
    release_freed_memory()


def release_freed_memory():
    """Give back what is free at this moment."""
    _call('malloc_trim', 0)


def _call(name, *arguments):
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return
    function(*arguments)

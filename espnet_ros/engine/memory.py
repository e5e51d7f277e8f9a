"""What the C library does with memory that was freed; only glibc is told, others go their own way."""
import ctypes

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8  # malloc.h


def share_one_arena():
    """One arena for all threads that begin from now on: others than the first give back whatever is freed."""
    _call('mallopt', _ARENA_MAX, 1)


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

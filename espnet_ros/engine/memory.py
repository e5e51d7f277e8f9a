"""What the C library does with memory that was freed; only glibc is told, others go their own way."""
import ctypes

_MMAP_THRESHOLD, _TRIM_THRESHOLD, _ARENA_MAX = -3, -1, -8  # malloc.h


def keep_freed_memory():
    """Keep what is freed from now on: given back, the 200 MB of a frame of 1024x512 would be faulted in each time.

    With PyTorch such a frame takes 120 ms without this, and 70 with it (fp32, two cores). One arena for all threads
    that begin from now on, because the arenas of others than the first give back all the same.
    """
    for option, value in ((_MMAP_THRESHOLD, 1 << 30), (_TRIM_THRESHOLD, (1 << 31) - 1), (_ARENA_MAX, 1)):
        _call('mallopt', option, value)


def release_freed_memory():
    """Give back what is free at this moment."""
    _call('malloc_trim', 0)


def _call(name, *arguments):
    try:
        function = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return
    function(*arguments)

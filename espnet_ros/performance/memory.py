"""The most memory that this process has held."""
import resource


def peak_memory():
    """Return the peak of this process's resident memory, in MiB."""
    try:
        with open('/proc/self/status') as stream:  # getrusage counts the parent's memory before exec, too
            return next(int(line.split()[1]) / 1024.0 for line in stream if line.startswith('VmHWM:'))
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0

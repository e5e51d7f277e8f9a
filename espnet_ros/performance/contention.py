"""CPU time that other programs and the hypervisor take while something is measured."""
import os
import typing

LIMIT = 0.05
"""Share of the CPU time beyond which a measurement is marked: a quiet machine's own services take about 0.01."""


class Contention(typing.NamedTuple):
    """Shares (0..1) of the time of the cores that this process may use; None where the system does not tell.

    others: used by other programs. steal: taken by the hypervisor. load: mean number of runnable programs in the last
    minute, these measurements included.
    """

    others: typing.Optional[float] = None
    steal: typing.Optional[float] = None
    load: typing.Optional[float] = None

    @property
    def problem(self):
        """Why a measurement under this contention is not to be trusted, '' if it is."""
        if max(self.others or 0.0, self.steal or 0.0) <= LIMIT:
            return ''
        return 'other programs used {:.0f}% of the CPU and the hypervisor {:.0f}%: stop them and measure again'.format(
            100 * (self.others or 0.0), 100 * (self.steal or 0.0))


class ContentionMeter:
    """Measures the Contention beside processes that work: from `start` until `stop`.

    pids: of the processes that are measured. proc: folder of the process file system.
    """

    def __init__(self, pids, proc='/proc'):
        self._proc = proc
        self._pids = [os.getpid(), *pids]
        self._before = None

    def start(self):
        """Begin to count."""
        self._before = self._read()

    def stop(self):
        """Return the Contention since `start`."""
        before, after = self._before, self._read()
        if before is None or after is None or after[0] <= before[0]:
            return Contention(load=self._load())
        total, busy, steal, own = (now - then for now, then in zip(after, before))
        return Contention(max(0.0, busy - own) / total, steal / total, self._load())

    def _read(self):
        """Return ticks of the usable cores: all, busy, stolen; and those of the processes. None if unknown."""
        try:
            cores = {'cpu{}'.format(core) for core in os.sched_getaffinity(0)}
            with open(os.path.join(self._proc, 'stat')) as stream:
                rows = [[int(word) for word in line.split()[1:9]] for line in stream if line.split()[0] in cores]
            own = sum(self._ticks(pid) for pid in self._pids)
        except (AttributeError, OSError, ValueError, IndexError):
            return None
        if not rows or any(len(row) < 8 for row in rows):
            return None
        user, nice, system, idle, wait, interrupts, soft, steal = (sum(column) for column in zip(*rows))
        busy = user + nice + system + interrupts + soft
        return busy + idle + wait + steal, busy, steal, own

    def _ticks(self, pid):
        """Return the ticks that a process has used, with those of its children that have ended."""
        with open(os.path.join(self._proc, str(pid), 'stat')) as stream:
            fields = stream.read().rpartition(')')[2].split()  # the name before it may hold anything
        return sum(int(field) for field in fields[11:15])

    @staticmethod
    def _load():
        return os.getloadavg()[0] if hasattr(os, 'getloadavg') else None

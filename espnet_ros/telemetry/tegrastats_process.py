"""A tegrastats process: started, read, started again when it fails, ended."""
import contextlib
import os
import select
import signal
import subprocess
import threading
import time

from espnet_ros.telemetry.machine import GpuState, MachineState
from espnet_ros.telemetry.sysfs import is_temperature
from espnet_ros.telemetry.tegrastats import parse

_CHUNK = 65536
"""Bytes read at a time, and the longest line that is waited for."""
_PAUSE = 0.25
"""Fraction of the interval, and most seconds, between reads: a flood of lines waits in the pipe and costs nothing."""
_LOOK = 0.5
"""Seconds between checks for `stop` while the process is silent and ignores SIGTERM."""


class TegrastatsProcess(threading.Thread):
    """Keeps one tegrastats running and its newest line."""

    def __init__(self, program, interval=1.0, backoff=(0.5, 10.0), patience=2.0):
        """program: path of the executable. interval: seconds between its lines.

        backoff: seconds before the first new start, which double up to the second number until a line can be read.
        patience: seconds beyond three intervals without a line that can be read, after which it is started again.
        """
        super().__init__(name='tegrastats', daemon=True)
        self._command = [program, '--interval', str(max(1, int(1000 * interval)))]
        self._stall = 3 * interval + patience
        self._backoff = backoff
        self._pause = min(_PAUSE * interval, _PAUSE)
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._process = None
        self._newest = MachineState()
        self._problem = ''
        self._good = None

    def state(self):
        """Return the MachineState of the newest line, or the problem alone when there is none."""
        good = self._good
        if good is not None and time.monotonic() - good < self._stall and not self._problem:
            return self._newest
        return MachineState(problems=(self._problem,) if self._problem else ())

    def stop(self):
        """End process and thread."""
        with self._lock:
            self._stopped.set()
            if self._process is not None:
                _signal(self._process, signal.SIGTERM)
        if self.is_alive():
            self.join(1.0)  # it sees the end of the process, or soon that it is stopped, and does the rest

    def run(self):
        """Keep it running until `stop`."""
        pause = self._backoff[0]
        while not self._stopped.is_set():
            good = self._good
            end = self._run_once()
            if self._stopped.is_set():
                return
            if self._good != good:
                pause = self._backoff[0]  # it ran well
            self._problem = '{} {}; it is tried again after {:g} s; run it by hand to see why'.format(
                self._command[0], end, pause)
            self._stopped.wait(pause)
            pause = min(2 * pause, self._backoff[1])

    def _run_once(self):
        """Run the program until it ends or stalls; return how it went, for a sentence."""
        try:
            with self._lock:
                if self._stopped.is_set():
                    return 'was stopped'
                process = self._process = subprocess.Popen(
                    self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    bufsize=0, start_new_session=True)
        except (OSError, ValueError) as error:
            return 'does not start ({})'.format(getattr(error, 'strerror', None) or error)
        with process.stdout:
            wrong = self._read(process)
        code = self._end(process)
        return wrong or ('ended' if code is None else 'ended with code {}'.format(code))

    def _read(self, process):
        """Take lines until the process ends, and return ''; return what is wrong when none comes that can be read."""
        pipe = process.stdout.fileno()
        poll = select.poll()  # select() fails in a program with many open files
        poll.register(pipe, select.POLLIN)
        rest = strange = b''
        alive = time.monotonic()
        while True:
            left = alive + self._stall - time.monotonic()
            if left <= 0:
                return 'prints what cannot be read, such as {!r}'.format(
                    strange[:60].decode('ascii', 'replace')) if strange else 'has been silent for {:.1f} s'.format(
                        self._stall)
            there = poll.poll(1000 * min(left, _LOOK))
            chunk = os.read(pipe, _CHUNK) if there else b''
            if self._stopped.is_set() or (not chunk and (there or _has_ended(process, 0.0))):
                return ''  # a child may hold the pipe open for longer
            whole, newline, rest = (rest + chunk).rpartition(b'\n')
            if len(rest) > _CHUNK:
                strange, rest = rest, b''
            if newline:
                line = whole[whole.rfind(b'\n') + 1:]
                state = line_to_state(line[:_CHUNK].decode('ascii', 'replace'))
                if state is None:
                    strange = line
                else:
                    alive = self._good = time.monotonic()
                    self._newest, self._problem = state, ''
            self._stopped.wait(self._pause)

    def _end(self, process):
        """End the process and all that it started; return its exit code, None where it had to be ended."""
        by_itself = _has_ended(process, 0.1)
        if not by_itself:
            _signal(process, signal.SIGTERM)
            _has_ended(process, 0.3)
        with self._lock:
            _signal(process, signal.SIGKILL)  # what hangs, and children that are left; it is not reaped yet
            self._process = None
        # One that is stuck in its driver is reaped when the next one is started.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1.0)
        return process.returncode if by_itself else None


def line_to_state(line):
    """Return the MachineState of a line (str) of tegrastats, None when it is none of its lines."""
    value = parse(line)
    if value.ram is None and not value.cores:
        return None
    ram, swap = value.ram, value.swap
    return MachineState(
        sources=('tegrastats',),
        cpu=tuple(core.load for core in value.cores), cpu_clocks=tuple(core.clock for core in value.cores),
        memory_used=ram and ram.used << 20, memory_total=ram and ram.total << 20,
        swap_used=swap and swap.used << 20, swap_total=swap and swap.total << 20,
        gpus=tuple(GpuState(gpu.name, load=gpu.load, clock=max(gpu.clocks) if gpu.clocks else None)
                   for gpu in value.gpus),
        temperatures=tuple((sensor.name, sensor.celsius) for sensor in value.temperatures
                           if is_temperature(sensor.name, sensor.celsius)),
        rails=tuple((rail.name, rail.now / 1000.0) for rail in value.rails if rail.name != 'NC'))


def _has_ended(process, seconds):
    """Wait for a process to end, without reaping it, so that its group stays its own; tell whether it did."""
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _signal(process, number):
    """Signal a process's whole group."""
    with contextlib.suppress(OSError):  # it is gone, or belongs to another user
        os.killpg(process.pid, number)

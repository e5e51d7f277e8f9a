"""A process that lets a held GPU clock go when the one that held it ends, in whatever way."""
import contextlib
import signal
import subprocess
import sys

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile.clocks import from_memory


@contextlib.contextmanager
def guarded(clock):
    """Within it the clock may be held: afterwards it is as before, also when this process is killed.

    clock: as of clocks.find_clock. Raises EngineError when the clock could not be restored.
    """
    # In a session of its own, Ctrl-C and a lost terminal do not reach it. It waits for the end of its input, which
    # comes when this process closes it or is no more.
    guard = subprocess.Popen([sys.executable, '-m', 'espnet_ros.performance.profile.clock_guard'] + clock.memory(),
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, universal_newlines=True,
                             start_new_session=True)
    try:
        if guard.stdout.readline() != 'ready\n':
            raise EngineError('the process that restores the GPU clock did not start; the clock was not touched')
        yield clock
    finally:
        guard.stdin.close()
        guard.stdout.close()
        if guard.wait() != 0:
            clock.restore()


def main():
    """Wait for the end of the input, then restore the clock that the arguments tell of."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    clock = from_memory(sys.argv[1:])
    print('ready', flush=True)
    sys.stdin.read()
    clock.restore()


if __name__ == '__main__':
    main()

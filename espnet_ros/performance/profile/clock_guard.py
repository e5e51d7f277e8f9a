"""A process that restores the GPU clock when the process that locked it ends, even if killed."""
import contextlib
import signal
import subprocess
import sys

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile.clocks import clock_from_words


@contextlib.contextmanager
def guarded(clock):
    """Context in which the clock may be locked; it is restored afterwards, even if this process is killed.

    clock: as of clocks.find_clock. Raises EngineError when the clock could not be restored.
    """
    # In its own session, Ctrl-C and a lost terminal do not reach it. It waits for the end of its input, which comes
    # when this process closes it or ends.
    guard = subprocess.Popen([sys.executable, '-m', 'espnet_ros.performance.profile.clock_guard'] + clock.to_words(),
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
    """Wait for the end of the input, then restore the clock that the arguments describe."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    clock = clock_from_words(sys.argv[1:])
    print('ready', flush=True)
    sys.stdin.read()
    clock.restore()


if __name__ == '__main__':
    main()

"""Faults of a node's process, its environment, its clock and the messages that reach it."""
import os
import signal
import time

from node_fault_kinds.faults import Faults

FAULTS = Faults()
fault = FAULTS.define


@fault('stopped and continued')
def stopped(bench, rng):
    os.kill(bench.rig.process.pid, signal.SIGSTOP)
    yield bench.silent()
    os.kill(bench.rig.process.pid, signal.SIGCONT)


@fault('killed and started again')
def killed(bench, rng):
    bench.rig.process.kill()
    yield bench.silent()
    bench.rig.respawn()


def started(name, **variables):
    """A fault that lasts from the node's start on: it has to work all the same."""
    @fault(name)
    def start(bench, rng):
        bench.rig.process.end()
        before = dict(os.environ)
        os.environ.update(variables, ROS_LOG_DIR=os.path.dirname(str(bench.model)))
        if 'HOME' in variables and not variables['HOME']:
            del os.environ['HOME']
        try:
            bench.rig.respawn()
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield None


started('no home folder', HOME='', XDG_CACHE_HOME='')
started('an odd locale', LC_ALL='xx_YY.UTF-16', LANG='C', LANGUAGE='tlh')
started('a cache that cannot be written', XDG_CACHE_HOME='/dev/null/x', TMPDIR='/proc/self')


# Simulated time

@fault('a clock that jumps back', use_sim_time=True)
def clock_back(bench, rng):
    bench.answered()

    def is_told():
        bench.show()
        time.sleep(0.1)
        bench.ahead -= 100.0
        time.sleep(0.1)
        bench.show()
        time.sleep(1.0)
        return bench.is_named(('Input', 'backwards'))
    yield is_told


@fault('a clock that jumps ahead', use_sim_time=True)
def clock_ahead(bench, rng):
    bench.answered()
    bench.ahead += 1000.0
    yield None


@fault('a clock that stands still', use_sim_time=True)
def clock_still(bench, rng):
    bench.answered()
    bench._clock_runs = False

    def is_told():
        bench.show(shift=1.0)
        time.sleep(0.3)
        return bench.is_named(('Input', 'in the future'))
    yield is_told
    bench._clock_runs = True


@fault('serialized messages with mutated bytes')
def cdr(bench, rng):
    from mutations import mutated
    from rclpy.serialization import serialize_message
    data = serialize_message(bench.good())
    for _ in range(50):
        bench.plug().publish(mutated(data, rng, [data]))
    yield None

"""The diagnostics node as a process."""
import signal
import socket
import time
import urllib.request

import psutil
import pytest
from ros_process import wait_until
from stand_in_tegrastats import FULL, LINES, StandIn

MODULE = 'espnet_ros.nodes.diagnostics.__main__'
HOST = socket.gethostname()
OK, WARN, ERROR = b'\0', b'\1', b'\2'


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A stand-in for tegrastats, first on the PATH."""
    monkeypatch.setenv('PATH', str(tmp_path), prepend=':')
    return StandIn(tmp_path)


@pytest.fixture
def status(observer):
    """Function status(name) -> the newest DiagnosticStatus of this machine, or None."""
    from diagnostic_msgs.msg import DiagnosticArray
    arrays = observer.collect(DiagnosticArray, '/diagnostics')

    def newest(name):
        for array in reversed(arrays):
            for found in array.status:
                if found.name == '{}: {}'.format(HOST, name):
                    return found
        return None
    return newest


def wait_for(status, name, level, text, seconds=60.0):
    def is_there():
        found = status(name)
        return found and found.level == level and text in found.message and found
    try:
        return wait_until(is_there, seconds)
    except AssertionError:
        pytest.fail('no {!r} but {}'.format(text, status(name)))


def values(found):
    return {pair.key: pair.value for pair in found.values}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_it_tells_of_this_machine_and_ends_cleanly(start_node, status, number):
    node = start_node(MODULE, '--ros-args', '-p', 'memory_warn:=0', '-p', "tegrastats:=''")
    memory = wait_for(status, 'Memory', WARN, 'is in use; end other programs')
    assert memory.hardware_id == HOST and 0 < int(values(memory)['used (MiB)'])
    assert all(status(name) for name in ('CPU', 'GPU', 'Power', 'Temperature'))
    node.wait_for('{}: Memory: '.format(HOST))
    assert 'is in use; end other programs' in node.stop(number)


def test_a_wrong_limit_ends_it_with_a_sentence(start_node):
    output = start_node(MODULE, '--ros-args', '-p', 'cpu_warn:=200.0').wait_for_end(1)
    assert 'cpu_warn' in output and '100' in output and 'Traceback' not in output


def test_every_parameter_says_what_it_is():
    from espnet_ros.nodes.diagnostics.node import RULES, DiagnosticsParameters
    assert tuple(RULES) == DiagnosticsParameters._fields
    for name, default in DiagnosticsParameters()._asdict().items():
        assert RULES[name].description.endswith('.')
        assert isinstance(default, str) or RULES[name].low <= default <= RULES[name].high


@pytest.mark.timeout(300)
def test_tegrastats_through_all_its_moods(start_node, status, stand_in):
    node = start_node(MODULE, '--ros-args', '-p', 'interval:=0.2')
    process = psutil.Process(node.pid)

    def no_zombies():
        return not any(child.status() == psutil.STATUS_ZOMBIE for child in process.children(recursive=True))
    gpu = wait_for(status, 'GPU', OK, '47% at 1300 MHz')
    assert values(gpu)['GR3D load (%)'] == '47.0' and 'tegrastats' in values(gpu)['sources']
    assert wait_for(status, 'Memory', OK, '38% of 7.7 GiB')
    assert wait_for(status, 'Power', OK, '3.1 W') and wait_for(status, 'Temperature', OK, ' C at GPU')
    assert wait_for(status, 'CPU', OK, '%')
    assert stand_in.starts[0][1] == ['--interval', '200']

    stand_in.mode('die')
    assert 'run it by hand' in wait_for(status, 'GPU', WARN, 'ended with code 3; it is tried again after').message
    assert no_zombies()
    stand_in.lines([FULL])
    stand_in.mode('replay')
    wait_for(status, 'Memory', ERROR, '98% of 7.7 GiB is in use; end other programs')
    wait_for(status, 'GPU', OK, '47%')
    stand_in.mode('hang')
    wait_for(status, 'GPU', WARN, 'has been silent for 2.6 s')
    assert no_zombies() and '7.7 GiB' not in status('Memory').message  # psutil's word, now
    stand_in.mode('garbage')
    wait_for(status, 'GPU', WARN, 'prints what cannot be read, such as')
    assert no_zombies()
    stand_in.lines(LINES)
    stand_in.mode('flood')
    wait_for(status, 'GPU', OK, '47% at 1300 MHz')
    wait_for(status, 'Memory', OK, '38% of 7.7 GiB')
    assert no_zombies()

    said = node.output
    assert said.count('ended with code 3') == 1 and said.count('98% of 7.7 GiB') == 1  # each change of level once
    node.stop()
    assert not any(psutil.pid_exists(pid) for pid, _ in stand_in.starts)


@pytest.mark.timeout(300)
def test_its_cost_at_1_hz_whatever_tegrastats_does(start_node, status, stand_in):
    """CPU time of the node's process, not of the machine: that of 8 s in each mode."""
    node = start_node(MODULE, '--ros-args')
    wait_for(status, 'GPU', OK, '47% at 1300 MHz')
    process = psutil.Process(node.pid)
    for mode, level, text in (('replay', OK, '47%'), ('flood', OK, '47%'), ('garbage', WARN, 'cannot be read')):
        stand_in.mode(mode)
        wait_for(status, 'GPU', level, text)
        memory, cpu, began = process.memory_info().rss, sum(process.cpu_times()[:2]), time.monotonic()
        time.sleep(8.0)
        share = (sum(process.cpu_times()[:2]) - cpu) / (time.monotonic() - began)
        print('{}: {:.2%} of a core'.format(mode, share))
        assert share < 0.02, mode  # 0.4% to 0.8% where nothing else runs
        assert process.memory_info().rss - memory < 4 << 20, mode
        assert not any(child.status() == psutil.STATUS_ZOMBIE for child in process.children(recursive=True))
        assert len(process.children()) <= 1
    node.stop()


@pytest.mark.parametrize('board, gpu, memory, power, temperature', [
    ('TX2-r32.7-root', '0% at 114 MHz', '42% of 7.7 GiB', '5.3 W', '42 C at PLL'),
    ('ORIN-NANO-r36-root', '63% at 621 MHz', '81% of 7.4 GiB', '12.5 W', '54 C at '),
    ('THOR-r38-root', '314 MHz', '84% of 122.8 GiB', '19.8 W', '39 C at ')])
def test_lines_of_real_boards(start_node, status, stand_in, shared, board, gpu, memory, power, temperature):
    rows = (shared / 'tegrastats' / 'samples.tsv').read_text().splitlines()
    stand_in.lines([line for name, line in (row.split('\t') for row in rows if '\t' in row) if name == board])
    node = start_node(MODULE, '--ros-args', '-p', 'interval:=0.2')
    for name, text in (('GPU', gpu), ('Memory', memory), ('Power', power), ('Temperature', temperature)):
        wait_for(status, name, OK, text)
    assert values(status('GPU'))['sources'].startswith('tegrastats')
    node.stop()


_PYNVML = """
import types
class NVMLError(Exception):
    value = 0
NVML_CLOCK_GRAPHICS = NVML_TEMPERATURE_GPU = 0
NVML_ERROR_NOT_SUPPORTED, NVML_ERROR_NO_PERMISSION = 3, 4
NVML_ERROR_LIBRARY_NOT_FOUND, NVML_ERROR_DRIVER_NOT_LOADED = 12, 9
def answer(value):
    return lambda *arguments: value
def nvmlDeviceGetMemoryInfo(handle):
    with open({!r}) as stream:
        return types.SimpleNamespace(used=int(stream.read() or 0) << 20, total=8000 << 20)
nvmlInit = nvmlShutdown = answer(None)
nvmlDeviceGetCount = answer(1)
nvmlDeviceGetHandleByIndex = answer('gpu')
nvmlDeviceGetName = answer('Toy')
nvmlDeviceGetUtilizationRates = answer(types.SimpleNamespace(gpu=5))
nvmlDeviceGetClockInfo = nvmlDeviceGetMaxClockInfo = answer(1000)
nvmlDeviceGetTemperature = answer(40)
nvmlDeviceGetPowerUsage = nvmlDeviceGetEnforcedPowerLimit = answer(9000)
nvmlDeviceGetCurrentClocksThrottleReasons = answer(0)
"""


@pytest.mark.timeout(300)
def test_memory_that_fills_is_told_within_two_seconds(start_node, observer, status, stand_in, tmp_path, monkeypatch):
    """The machine's through tegrastats, a GPU's own through NVML; told by the stamps of diagnostics."""
    from diagnostic_msgs.msg import DiagnosticArray
    gpu_memory = tmp_path / 'gpu_memory'
    (tmp_path / 'pynvml.py').write_text(_PYNVML.format(str(gpu_memory)))
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    gpu_memory.write_text('1000')
    arrays = observer.collect(DiagnosticArray, '/diagnostics')
    node = start_node(MODULE, '--ros-args')

    def seconds(name, change, level, text):
        """Seconds from a change until the first diagnostics with that level."""
        arrays.clear()
        then = time.time()
        change()
        wait_for(status, name, level, text)
        return min(array.header.stamp.sec + 1e-9 * array.header.stamp.nanosec for array in arrays
                   for found in array.status if found.name.endswith(name) and found.level == level) - then

    for name, fill, empty, text in (
            ('Memory', lambda: stand_in.lines([FULL]), lambda: stand_in.lines(LINES), '98% of 7.7'),
            ('GPU', lambda: gpu_memory.write_text('7900'), lambda: gpu_memory.write_text('1000'),
             '99% of its memory is in use; choose a smaller network input')):
        wait_for(status, name, OK, '')
        tries = []
        while min(tries, default=9.0) > 2.0 and len(tries) < 12:  # a loaded machine may need several
            tries.append(seconds(name, fill, ERROR, text))
            print('{}: {:.2f} s'.format(name, tries[-1]))
            seconds(name, empty, OK, '')
        assert tries[-1] <= 2.0
    node.stop()


def test_simulated_time_stamps_diagnostics_and_stops_nothing(start_node, observer, status):
    from diagnostic_msgs.msg import DiagnosticArray
    from rclpy.qos import qos_profile_sensor_data
    from rosgraph_msgs.msg import Clock
    arrays = observer.collect(DiagnosticArray, '/diagnostics')
    node = start_node(MODULE, '--ros-args', '-p', 'use_sim_time:=true', '-p', "tegrastats:=''")
    wait_until(lambda: len(arrays) >= 3)  # a clock that stands still
    assert all(array.header.stamp.sec == 0 for array in arrays)
    clock = observer.node.create_publisher(Clock, '/clock', qos_profile_sensor_data)
    wait_until(clock.get_subscription_count)
    message = Clock()
    message.clock.sec = 1234

    def is_stamped():  # one clock message may be lost while both sides are still finding each other
        clock.publish(message)
        return arrays[-1].header.stamp.sec == 1234
    wait_until(is_stamped)
    assert 'used (MiB)' in values(status('Memory'))
    node.stop()


def test_machine_as_topics_for_plots(start_node, observer, stand_in):
    from std_msgs.msg import Float64
    node = start_node(MODULE, '--ros-args', '-r', '__ns:=/robot')
    expected = {'gpu/load': 47.0, 'gpu/clock': 1300.0, 'cpu/core0/clock': 2028.0, 'temperature/GPU': (41.5, 41.0),
                'power/VDD_IN': (3.104, 3.1), 'power/total': (3.104, 3.1), 'memory/used': (2969.0, 2970.0)}
    found = {name: observer.collect(Float64, '/robot/diagnostics/telemetry/' + name) for name in expected}
    for name, value in expected.items():
        wait_until(lambda name=name: found[name])
        assert found[name][-1].data in (value if isinstance(value, tuple) else (value,)), name
    node.stop()


@pytest.mark.parametrize('name, topic', [
    ('stamp to output/p95', 'stamp_to_output/p95'), ('power/5V_IN', 'power/n5V_IN'), ('a/__b--c__', 'a/b_c'),
    ('temperature/coretemp Core 0', 'temperature/coretemp_Core_0'), ('\u00e9/1', 'n/n1')])
def test_names_as_topics(name, topic):
    from rclpy.validate_topic_name import validate_topic_name

    from espnet_ros.nodes.common.plots import name_to_topic
    assert name_to_topic(name) == topic and validate_topic_name('~/x/' + topic)


def test_prometheus_sees_all_nodes_diagnostics(start_node, status, stand_in, observer):
    pytest.importorskip('prometheus_client')
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        port = listener.getsockname()[1]
    node = start_node(MODULE, '--ros-args', '-p', 'prometheus_port:={}'.format(port))
    wait_for(status, 'GPU', OK, '47%')
    other = observer.node.create_publisher(DiagnosticArray, '/diagnostics', 10)
    message = DiagnosticArray(status=[DiagnosticStatus(
        name='espnet: Latency', level=WARN, values=[KeyValue(key='total p95 (ms)', value='12.5')])])

    def scrape():
        other.publish(message)
        with urllib.request.urlopen('http://127.0.0.1:{}/metrics'.format(port), timeout=10) as answer:
            return answer.read().decode()
    wait_until(lambda: 'espnet_diagnostics_value{key="total p95 (ms)",status="espnet: Latency"} 12.5' in scrape())
    text = scrape()
    assert 'espnet_diagnostics_level{status="espnet: Latency"} 1.0' in text
    assert 'espnet_diagnostics_value{{key="GR3D load (%)",status="{}: GPU"}} 47.0'.format(HOST) in text
    addresses = {(c.laddr.ip, c.laddr.port) for c in psutil.Process(node.pid).net_connections('tcp')
                 if c.status == psutil.CONN_LISTEN}
    assert ('127.0.0.1', port) in addresses and ('0.0.0.0', port) not in addresses
    node.stop()


def test_a_port_that_is_taken_does_not_take_the_node_down(start_node, status):
    pytest.importorskip('prometheus_client')
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        port = listener.getsockname()[1]
        node = start_node(MODULE, '--ros-args', '-p', 'prometheus_port:={}'.format(port))
        node.wait_for('Prometheus cannot be served at 127.0.0.1:{}'.format(port))
        wait_until(lambda: status('CPU'))
    node.stop()


def test_two_nodes_on_one_host_report_it_once(start_node, observer):
    from diagnostic_msgs.msg import DiagnosticArray
    arrays = observer.collect(DiagnosticArray, '/diagnostics')
    nodes = [start_node(MODULE, '--ros-args', '-p', "tegrastats:=''", '-r', '__ns:=/' + name) for name in ('a', 'b')]

    def reporters(since):
        return {value.value.split()[0] for array in arrays[since:] for status in array.status
                for value in status.values if value.key == 'reported by'}
    nodes[1].wait_for('/a/diagnostics {} reports '.format(nodes[0].pid))
    time.sleep(0.5)  # what is on its way
    count = len(arrays)
    wait_until(lambda: len(arrays) > count + 3)
    assert reporters(count) == {'/a/diagnostics'}
    nodes[0].stop()
    count = len(arrays)
    wait_until(lambda: '/b/diagnostics' in reporters(count))


def test_limits_that_contradict_each_other_end_it_with_a_sentence(start_node):
    output = start_node(MODULE, '--ros-args', '-p', 'memory_error:=50.0').wait_for_end(1)
    assert 'memory_error is 50, below memory_warn, 85; raise it, or set memory_warn first' in output

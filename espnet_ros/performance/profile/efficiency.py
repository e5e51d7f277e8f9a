"""Warp execution and memory efficiency of a model's GPU kernels, read with NVIDIA's nvprof or Nsight Compute."""
import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import typing

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile.text import read_text

INSTRUCTIONS = 'instructions'
METRICS = {
    'warp execution efficiency': ('warp_execution_efficiency', 'smsp__thread_inst_executed_per_inst_executed.ratio'),
    'global load efficiency': (
        'gld_efficiency', 'smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct'),
    'global store efficiency': (
        'gst_efficiency', 'smsp__sass_average_data_bytes_per_sector_mem_global_op_st.pct'),
    'shared memory efficiency': ('shared_efficiency', 'smsp__sass_average_data_bytes_per_wavefront_mem_shared.pct'),
    INSTRUCTIONS: ('inst_executed', 'smsp__inst_executed.sum'),
}
"""What is measured, by its name here: nvprof's and Nsight Compute's names. All but INSTRUCTIONS are in percent."""
_FACTORS = {'smsp__thread_inst_executed_per_inst_executed.ratio': 100 / 32.0}
"""Of what is not in percent: threads of a warp's 32."""
_ONLY_WITH_ACCESSES = ('global load efficiency', 'global store efficiency', 'shared memory efficiency')
"""Of a kernel that has no such accesses they are 0, which says nothing."""
_CUDA = '/usr/local/cuda/bin'
TIMEOUT = 600.0


class KernelEfficiency(typing.NamedTuple):
    """A kernel: how often it was launched, its instructions (of warps, all launches), and percents by METRICS."""

    name: str
    launches: int
    instructions: float
    percents: typing.Dict[str, float]


class Efficiency(typing.NamedTuple):
    """What `program` measured in one image.

    percents: by METRICS, means over the kernels weighted by their instructions. kernels: that with most first.
    """

    program: str
    percents: typing.Dict[str, float]
    kernels: typing.Tuple[KernelEfficiency, ...]


def programs(capability):
    """Return the profilers that know GPUs of that compute capability, (major, minor), the best first."""
    return (['ncu', 'nv-nsight-cu-cli'] if capability >= (7, 0) else []) + (['nvprof'] if capability < (7, 5) else [])


def measure_efficiency(model, width, height, device, precision, capability, timeout=TIMEOUT):
    """Return the Efficiency of a model in PyTorch on a GPU of that compute capability. Raises EngineError.

    model, width, height, device, precision: as for subject.prepare. The profiler runs the kernels of one image several
    times, in a process of its own. timeout: seconds.
    """
    names = programs(capability)
    folders = os.pathsep.join([os.environ.get('PATH', ''), _CUDA])
    path = next(filter(None, (shutil.which(name, path=folders) for name in names)), None)
    if path is None:
        raise EngineError('no warp and memory efficiency: no {} is on the PATH or in {}; it comes with the '
                          'CUDA toolkit'.format(' or '.join(names), _CUDA))
    worker = [sys.executable, '-m', 'espnet_ros.performance.profile.gpu_run', model, str(width), str(height), device,
              precision]
    with tempfile.TemporaryDirectory() as folder:
        report, log = os.path.join(folder, 'metrics.csv'), os.path.join(folder, 'log')
        code = _run(command(path, report) + worker, log, timeout)
        text, said = read_text(report), read_text(log)
    parse = parse_nvprof if os.path.basename(path) == 'nvprof' else parse_ncu
    kernels = parse(text)
    if not kernels:
        raise EngineError('no warp and memory efficiency: ' + _reason(path, code, said + text))
    return Efficiency(os.path.basename(path), average(kernels), tuple(kernels))


def _run(words, log, timeout):
    """Run a command and return its exit code; what it says goes to the file `log`. Raises EngineError."""
    environment = {name: value for name, value in os.environ.items() if name != 'LC_ALL'}
    environment['LC_NUMERIC'] = 'C'  # no commas in place of points
    with open(log, 'w') as output:
        try:
            # In a session of its own, it can be ended together with the program that it profiles.
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                       start_new_session=True, env=environment)
        except OSError as error:
            raise EngineError('no warp and memory efficiency: {} does not run: {}'.format(words[0], error.strerror))
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise EngineError('no warp and memory efficiency: {} did not end within {:.0f} s; try a smaller --size'
                              .format(words[0], timeout))
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def command(path, report):
    """Return the words that begin a command under the profiler at `path`, which writes its CSV to the file `report`."""
    if os.path.basename(path) == 'nvprof':
        return [path, '--csv', '--profile-from-start', 'off', '--metrics', _names(0), '--log-file', report]
    return [path, '--csv', '--profile-from-start', 'off', '--print-units', 'base', '--metrics', _names(1),
            '--log-file', report]


def parse_nvprof(text):
    """Return a list of KernelEfficiency from the output of `nvprof --csv --metrics`; other lines are ignored."""
    rows = []
    for cells in _table(text, ('Kernel', 'Invocations', 'Metric Name', 'Avg')):
        launches, value = _number(cells['Invocations']), _number(cells['Avg'])
        if launches and value is not None:
            rows.append((cells['Kernel'], cells['Metric Name'], int(launches), value))
    return _kernels(rows)


def parse_ncu(text):
    """Return a list of KernelEfficiency from the output of `ncu --csv --metrics`, a row a launch and metric."""
    rows = []
    for cells in _table(text, ('ID', 'Kernel Name', 'Metric Name', 'Metric Value')):
        value = _number(cells['Metric Value'])
        if value is not None:
            rows.append((cells['Kernel Name'], cells['Metric Name'], 1, value))
    return _kernels(rows)


def average(kernels):
    """Return percents by METRICS of all kernels, weighted by their instructions."""
    return {name: mean for name, mean in (
        (name, _mean([(kernel.percents[name], kernel.instructions) for kernel in kernels if name in kernel.percents]))
        for name in METRICS if name != INSTRUCTIONS) if mean is not None}


def _kernels(rows):
    """rows: of (kernel, metric as the profiler calls it, launches, mean value of these launches)."""
    ours = {theirs: name for name, pair in METRICS.items() for theirs in pair}
    found: typing.Dict[str, typing.Dict[str, list]] = {}
    for kernel, metric, launches, value in rows:
        name = ours.get(metric)
        if name and (value or name not in _ONLY_WITH_ACCESSES):
            found.setdefault(kernel, {}).setdefault(name, []).append((value * _FACTORS.get(metric, 1), launches))
    kernels = []
    for kernel, values in found.items():
        counts = values.pop(INSTRUCTIONS, [])
        launches = max([sum(n for _, n in pairs) for pairs in [counts, *values.values()]])
        kernels.append(KernelEfficiency(kernel, launches, sum(value * n for value, n in counts),
                                        {name: _mean(pairs) for name, pairs in values.items()}))
    return sorted(kernels, key=lambda kernel: -kernel.instructions)


def _mean(pairs):
    """Return the weighted mean of (value, weight); the plain one where no weight is known, None of nothing."""
    if not pairs:
        return None
    weight = sum(weight for _, weight in pairs)
    if not weight:
        return sum(value for value, _ in pairs) / len(pairs)
    return sum(value * weight for value, weight in pairs) / weight


def _table(text, columns):
    """Yield a dict for each row of a CSV table that stands somewhere in text, below a line with these columns."""
    header: typing.List[str] = []
    for cells in csv.reader(line for line in text.splitlines() if line.startswith('"')):
        if set(columns) <= set(cells):
            header = cells
        elif header and len(cells) == len(header):
            yield dict(zip(header, cells))


def _number(text):
    """Return the number in '1,234.5', '87.50%' or '42 (1)'; None where there is none."""
    match = re.match(r'-?[0-9][0-9,]*(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?', text.strip())
    return float(match.group().replace(',', '')) if match else None


def _names(column):
    return ','.join(pair[column] for pair in METRICS.values())


def _reason(path, code, text):
    if re.search('ERR_NVGPUCTRPERM|not have permission|insufficient privilege', text, re.IGNORECASE):
        return ('the driver lets only root read the GPU counters (ERR_NVGPUCTRPERM); run again with sudo, or load the '
                'driver with NVreg_RestrictProfilingToAdminUsers=0')
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search('error|warning', line, re.IGNORECASE)] or lines
    return '{} ended with code {} and said {!r}'.format(path, code, telling[-1][:200] if telling else 'nothing')

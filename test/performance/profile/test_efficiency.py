"""Warp execution and memory efficiency by NVIDIA's profilers."""
import stat
import time

import psutil
import pytest

from espnet_ros.errors import EngineError
from espnet_ros.performance.profile import efficiency
from espnet_ros.performance.profile.efficiency import KernelEfficiency, measure_efficiency, parse_ncu, parse_nvprof

NVPROF = """==4711== NVPROF is profiling process 4711, command: python3 -m worker
==4711== Warning: Some kernel(s) will be replayed on device 0 in order to collect all events/metrics.
==4711== Profiling application: python3 -m worker
==4711== Profiling result:
==4711== Metric result:
"Device","Kernel","Invocations","Metric Name","Metric Description","Min","Max","Avg"
"NVIDIA Tegra X2 (0)","void gemm<int=128, int=6>(float*, int)",30,"warp_execution_efficiency","Warps",90%,99%,98.00%
"NVIDIA Tegra X2 (0)","void gemm<int=128, int=6>(float*, int)",30,"gld_efficiency","Global Load",60.00%,80.00%,70.00%
"NVIDIA Tegra X2 (0)","void gemm<int=128, int=6>(float*, int)",30,"shared_efficiency","Shared",85.5%,85.5%,85.5%
"NVIDIA Tegra X2 (0)","void gemm<int=128, int=6>(float*, int)",30,"inst_executed","Instructions",900,1100,1000
"NVIDIA Tegra X2 (0)","copy(char*)",10,"warp_execution_efficiency","Warp","50.00%","50.00%","50.00%"
"NVIDIA Tegra X2 (0)","copy(char*)",10,"gld_efficiency","Global Load","0.00%","0.00%","0.00%"
"NVIDIA Tegra X2 (0)","copy(char*)",10,"inst_executed","Instructions","1000","1000","1000"
"NVIDIA Tegra X2 (0)","copy(char*)",10,"something_else","?","1","1","1"
"""

NCU_COLUMNS = ('"ID","Process ID","Process Name","Host Name","Kernel Name","Context","Stream","Block Size","Grid Size",'
               '"Device","CC","Section Name","Metric Name","Metric Unit","Metric Value"\n')
LOADS, WARPS = 'smsp__sass_average_data_bytes_per_sector_mem_global_op_ld.pct', (
    'smsp__thread_inst_executed_per_inst_executed.ratio')


def ncu(number, kernel, metric, value):
    return ('"{}","7","python3.12","robot","{}","1","7","(256, 1, 1)","(40, 1, 1)","0","8.7","Command line profiler '
            'metrics","{}","","{}"\n').format(number, kernel, metric, value)


NCU = '==PROF== Connected to process 7 (/usr/bin/python3.12)\n==PROF== Profiling "gemm" - 0: 0%....50%....100% - 3 ' \
    'passes\nlibrary says "hello", and more\n==PROF== Disconnected from process 7\n' + NCU_COLUMNS + ''.join((
        ncu(0, 'gemm(float *, int)', 'smsp__inst_executed.sum', '3,000'), ncu(0, 'gemm(float *, int)', WARPS, '32'),
        ncu(0, 'gemm(float *, int)', LOADS, '100'),
        ncu(1, 'gemm(float *, int)', 'smsp__inst_executed.sum', '1,000'), ncu(1, 'gemm(float *, int)', WARPS, '24.00'),
        ncu(1, 'gemm(float *, int)', LOADS, '50'),
        ncu(2, 'fill', 'smsp__inst_executed.sum', '4,000.00'), ncu(2, 'fill', WARPS, '16'), ncu(2, 'fill', LOADS, '0'),
        ncu(3, 'odd', WARPS, 'n/a'), ncu(3, 'odd', WARPS, 'nan')))


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Make stand-ins for the profilers of a shell script's text, in which $report is the file they write."""
    monkeypatch.setattr(efficiency, '_CUDA', str(tmp_path / 'cuda'))
    monkeypatch.setenv('PATH', '/bin:/usr/bin')

    def make(name, script, folder='cuda'):
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\nall="$*"\nwhile [ "$1" != --log-file ]; do shift; done\nreport=$2\n' + script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return make


def measure(capability=(6, 2), timeout=60.0):
    return measure_efficiency('some-model', 480, 360, 'cuda:0', 'fp16', capability, timeout)


@pytest.mark.parametrize('capability, names', [
    ((5, 3), ['nvprof']), ((6, 2), ['nvprof']), ((7, 0), ['ncu', 'nv-nsight-cu-cli', 'nvprof']),
    ((7, 2), ['ncu', 'nv-nsight-cu-cli', 'nvprof']), ((7, 5), ['ncu', 'nv-nsight-cu-cli']),
    ((8, 7), ['ncu', 'nv-nsight-cu-cli']), ((12, 0), ['ncu', 'nv-nsight-cu-cli'])])
def test_the_profiler_goes_by_compute_capability(capability, names):
    assert efficiency.programs(capability) == names


def test_nvprof():
    gemm, copy = parse_nvprof(NVPROF)
    assert gemm == KernelEfficiency('void gemm<int=128, int=6>(float*, int)', 30, 30000.0, {
        'warp execution efficiency': 98.0, 'global load efficiency': 70.0, 'shared memory efficiency': 85.5})
    # It loads nothing from global memory: 0% would say that it does so badly.
    assert copy == KernelEfficiency('copy(char*)', 10, 10000.0, {'warp execution efficiency': 50.0})
    assert efficiency.average([gemm, copy]) == pytest.approx({
        'warp execution efficiency': 86.0, 'global load efficiency': 70.0, 'shared memory efficiency': 85.5})


def test_ncu():
    gemm, fill = sorted(parse_ncu(NCU), key=lambda kernel: -kernel.launches)
    assert gemm == KernelEfficiency('gemm(float *, int)', 2, 4000.0, {
        'warp execution efficiency': 87.5, 'global load efficiency': 75.0})  # 32 and 24 of 32 threads
    assert fill == KernelEfficiency('fill', 1, 4000.0, {'warp execution efficiency': 50.0})
    assert efficiency.average([gemm, fill]) == {'warp execution efficiency': 68.75, 'global load efficiency': 75.0}


def test_columns_may_stand_in_another_order():
    text = '"Metric Value","Metric Name","Kernel Name","ID"\n"8","{}","k","0"\n'.format(WARPS)
    assert parse_ncu(text)[0].percents == {'warp execution efficiency': 25.0}


@pytest.mark.parametrize('text', [
    '', 'nonsense', NCU_COLUMNS, NCU_COLUMNS + '"0","7"\n', '"a","b"\n"c","d"\n', NVPROF.splitlines()[5],
    '==ERROR== something\n', '"' * 1000, '\0\xff"'])
@pytest.mark.parametrize('parse', [parse_ncu, parse_nvprof])
def test_text_without_measurements_has_none(parse, text):
    assert parse(text) == []


def test_one_formats_lines_are_nothing_to_the_other():
    assert parse_ncu(NVPROF) == [] and parse_nvprof(NCU) == []


def test_the_commands_ask_for_what_is_parsed():
    for name, column in (('nvprof', 0), ('ncu', 1)):
        words = efficiency.command('/usr/local/cuda/bin/' + name, 'report')
        assert words[words.index('--metrics') + 1].split(',') == [pair[column] for pair in efficiency.METRICS.values()]
        assert words[words.index('--log-file') + 1] == 'report' and '--csv' in words
        assert words[words.index('--profile-from-start') + 1] == 'off'


def test_a_run(tool):
    tool('nvprof', 'case "$all" in *"-m espnet_ros.performance.profile.gpu_run some-model 480 360 cuda:0 fp16") ;; '
         "*) exit 9;; esac\ncat > $report <<'END'\n" + NVPROF + 'END\n')
    found = measure()
    assert found.program == 'nvprof' and found.percents['warp execution efficiency'] == 86.0
    assert [kernel.launches for kernel in found.kernels] == [30, 10]


def test_nsight_compute_comes_first_where_both_know_the_gpu(tool):
    tool('nvprof', 'exit 1')
    tool('ncu', "cat > $report <<'END'\n" + NCU + 'END\n')
    found = measure((7, 2))
    assert found.program == 'ncu' and found.percents['warp execution efficiency'] == 68.75


@pytest.mark.parametrize('script, sentence', [
    ('echo "==ERROR== ERR_NVGPUCTRPERM - The user does not have permission to access NVIDIA GPU Performance Counters '
     'on the target device 0." >&2', 'NVreg_RestrictProfilingToAdminUsers=0'),
    ('echo "==9== Warning: ERR_NVGPUCTRPERM - The user does not have permission to profile" > $report', 'sudo'),
    ('echo "==ERROR== The application returned an error code (11)." ; echo bye; exit 11', 'error code (11)'),
    ('exit 3', 'ended with code 3'), ('head -c 5000 /dev/urandom > $report', 'ended with code 0')])
def test_a_profiler_that_fails_is_explained(tool, script, sentence):
    tool('nvprof', script + '\n')
    with pytest.raises(EngineError, match='no warp and memory efficiency') as caught:
        measure()
    assert sentence in str(caught.value)


def test_one_that_hangs_is_given_up_with_what_it_started(tool, tmp_path):
    tool('nvprof', 'sleep 600 &\necho $! > {0}/new; mv {0}/new {0}/pid; wait\n'.format(tmp_path))
    with pytest.raises(EngineError, match='did not end within'):
        measure(timeout=2.0)
    pid = int((tmp_path / 'pid').read_text())
    deadline = time.monotonic() + 60
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_that_does_not_run(tool, tmp_path):
    tool('nvprof', '')
    (tmp_path / 'cuda' / 'nvprof').write_text('#!/nowhere/sh\n')
    with pytest.raises(EngineError, match='nvprof does not run: No such file'):
        measure()


def test_without_a_profiler(tool):
    with pytest.raises(EngineError, match='no nvprof is on the PATH'):
        measure()
    tool('nvprof', '')
    with pytest.raises(EngineError, match='no ncu or nv-nsight-cu-cli is'):
        measure((8, 7))

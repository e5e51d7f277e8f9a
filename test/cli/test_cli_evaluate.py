"""`espnet-ros evaluate` and `espnet-ros compare` as a user types them."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import types

import pytest
import torch

from espnet_ros.cli import main
from espnet_ros.cli.evaluate import LIMITS, check_engine
from espnet_ros.engine import EngineInfo
from espnet_ros.errors import EngineError


@pytest.fixture(scope='module')
def drive(tmp_path_factory):
    """A bag of eight street pictures whose ground truth is in Cityscapes classes."""
    path = tmp_path_factory.mktemp('drive') / 'bag'
    assert main(['bag', 'create', 'drive:8:96x64', '--out', str(path)]) == 0
    return path


@pytest.fixture
def bag(drive):
    """A copy of it in the working directory."""
    shutil.copytree(drive, 'bag')
    return 'bag'


def metrics(folder='evaluation'):
    return json.loads((pathlib.Path(folder) / 'metrics.json').read_text())


def test_a_bag_is_evaluated_and_compared(bag, tiny, capsys):
    assert main(['evaluate', bag, '--model', tiny, '--backend', 'torch']) == 0
    found = metrics()
    out = capsys.readouterr().out
    assert 'tiny: 8 frames, 8 of 8 labeled ones scored' in out
    assert 'mIOU of categories {:.2f},'.format(100 * found['averageScoreCategories']) in out  # CamVid on Cityscapes
    assert 'report: evaluation/report.html' in out and os.path.isfile('evaluation/report.html')
    assert found['byClass'] is False and found['configuration']['backend'] == 'torch'
    assert main(['evaluate', bag, '--model', tiny, '--backend', 'torch', '--width', '128', '--out', 'other']) == 0
    capsys.readouterr()
    assert main(['compare', 'evaluation', 'other', '--out', 'page.html']) == 0
    out = capsys.readouterr().out
    assert '8 labeled frames in common' in out and 'page: page.html' in out
    line = next(line for line in out.splitlines() if line.startswith('category mIOU'))
    assert line.split()[3:5] == ['{:.2f}'.format(100 * m['averageScoreCategories']) for m in (found, metrics('other'))]
    assert 'evaluation and other' in pathlib.Path('page.html').read_text()


def test_ground_truth_can_be_given_the_models_classes(bag, tiny):
    assert main(['evaluate', bag, '--model', tiny, '--truth', 'trainIds', '--truth-labels', 'camvid',
                 '--backend', 'torch']) == 0
    assert metrics()['byClass'] is True and metrics()['labelSet']['name'] == 'camvid'


@pytest.mark.parametrize('option, bound, kept', [
    ('--min-category-miou', '0', True), ('--min-category-miou', '0.99', False), ('--min-class-miou', '0', False),
    ('--min-coverage', '1', True), ('--max-latency-p95', '60', True), ('--max-latency-p95', '0.000001', False)])
def test_the_exit_code_says_whether_limits_are_kept(bag, tiny, capsys, option, bound, kept):
    arguments = ['evaluate', bag, '--model', tiny, '--backend', 'torch', '--no-boundary', option, bound]
    assert main(arguments) == (0 if kept else 1)
    error = capsys.readouterr().err
    assert ('espnet-ros: failed: ' in error and '({})'.format(option) in error) is not kept
    way, page = metrics()['configuration']['way'], pathlib.Path('evaluation/report.html').read_text()
    if option == '--max-latency-p95':
        assert way == 'offline, one frame at a time' and 'without other threads, as on a robot' in page
    else:
        assert way == 'offline' and 'while other threads decode and score frames' in page


def test_a_bag_without_ground_truth_keeps_no_limit_of_right(bag, tiny, capsys):
    arguments = ['evaluate', bag, '--model', tiny, '--image-topic', '/camera/ground_truth']
    assert main([*arguments, '--min-coverage', '0.1']) == 1
    assert 'coverage is 0 %, below the limit of 10 %' in capsys.readouterr().err
    assert main([*arguments, '--min-category-miou', '0']) == 1
    assert 'category mIOU is nan %, which does not meet the limit of 0 %' in capsys.readouterr().err


def test_a_dataset_is_evaluated_as_a_bag_of_it_is(bag, tiny, capsys):
    assert main(['evaluate', 'drive:8:96x64', '--model', tiny, '--out', 'direct']) == 0
    assert 'tiny: 8 frames, 8 of 8 labeled ones scored' in capsys.readouterr().out
    assert main(['evaluate', 'bag:' + bag, '--model', tiny]) == 0
    assert metrics('direct')['confMatrix'] == metrics()['confMatrix']
    assert metrics('direct')['configuration']['bags'][0]['paths'] == ['drive:8:96x64']
    assert main(['evaluate', 'drive:8:96x64', '--model', tiny, '--truth', 'camvid']) == 1
    assert 'a dataset such as drive:8:96x64 has no topics and defines its labels' in capsys.readouterr().err
    assert main(['evaluate', 'camvid:nowhere:val', '--model', tiny]) == 1
    assert "there is no folder 'nowhere/val'" in capsys.readouterr().err


def test_limits_have_options():
    assert [limit.option for limit in LIMITS] == [
        'min-category-miou', 'min-class-miou', 'min-coverage', 'max-latency-p95']


@pytest.mark.parametrize('arguments', [
    ['--min-coverage', '70'], ['--min-class-miou', 'nan'], ['--max-latency-p95', '0'], ['--max-latency-p95', 'nan'],
    ['--workers', '0'], ['--workers', '2', '--ray'], ['--protocol', 'other']])
def test_wrong_options_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(['evaluate', 'bag', *arguments])
    assert left.value.code == 2 and arguments[0] in capsys.readouterr().err


def test_mistakes_are_one_sentence(bag, tiny, capsys):
    pathlib.Path('nothing.mcap').write_bytes(b'')
    for arguments, text in ((['nowhere', '--model', tiny], 'nowhere'), ([bag, '--model', 'nobody'], 'nobody'),
                            ([bag, '--model', tiny, '--width', '7'], 'input_width is 7'),
                            (['nothing.mcap', '--model', tiny], 'nothing.mcap')):
        assert main(['evaluate', *arguments]) == 1
        error = capsys.readouterr().err
        assert 'espnet-ros: error: ' in error and text in error and 'Traceback' not in error
    assert main(['evaluate', bag, '--model', tiny]) == 0
    capsys.readouterr()
    assert main(['evaluate', bag, '--model', tiny, '--protocol', 'authors']) == 1
    assert "'evaluation' holds the results of another evaluation" in capsys.readouterr().err
    assert main(['evaluate', bag, '--model', tiny, '--protocol', 'authors', '--restart']) == 0
    assert main(['compare', 'evaluation', 'nothing']) == 1
    assert "'nothing' is not a finished evaluation" in capsys.readouterr().err


def test_what_is_wrong_is_told_on_the_terminal_too(bag, tiny, capsys):
    assert main(['evaluate', bag, './bag/', '--model', tiny]) == 1
    assert 'bag is given twice' in capsys.readouterr().err
    arguments = ['evaluate', bag, '--model', tiny, '--backend', 'torch', '--no-boundary']
    assert main([*arguments, '--truth', 'camvid', '--out', 'a']) == 0
    assert 'is read as camvid, as requested; the label map on ' in capsys.readouterr().err
    assert main([*arguments, '--truth', 'color', '--truth-labels', 'cityscapes', '--out', 'b']) == 0
    captured = capsys.readouterr()
    assert captured.err.count('warning: 8 ground truth images on /camera/ground_truth cannot be used; the first') == 1
    assert '8 frames, 0 of 8 labeled ones scored' in captured.out


@pytest.mark.parametrize('storage, suffix', [('mcap', '.mcap'), ('sqlite3', '.db3')])
def test_a_bag_that_was_cut_off_is_evaluated_up_to_there(tiny, capsys, storage, suffix):
    assert main(['bag', 'create', 'drive:20:96x64', '--out', 'cut', '--storage', storage, '--compression', 'none']) == 0
    path, = pathlib.Path('cut').glob('*' + suffix)
    size = path.stat().st_size // 2
    os.truncate(path, size)
    assert main(['evaluate', 'cut', '--model', tiny, '--backend', 'torch', '--no-boundary']) == 0
    captured = capsys.readouterr()
    found = metrics()
    assert 5 <= found['frames'] <= 12 and found['scoredFrames'] == found['labeledFrames'] <= found['frames']
    assert '{} frames, {} of {}'.format(*(found[key] for key in ('frames', 'scoredFrames', 'labeledFrames'))
                                        ) in captured.out
    cut = next(text for text in found['problems'] if 'cut off' in text)
    assert path.name in cut and str(size) in cut and 'its last complete message is from' in cut
    assert 'warning: ' + cut in captured.err


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_what_was_done_is_kept_when_it_is_ended(tiny, number):
    assert main(['bag', 'create', 'drive:40:96x64', '--out', 'bag']) == 0
    command = [sys.executable, '-m', 'espnet_ros.cli', 'evaluate', 'bag', '--model', tiny, '--backend', 'torch']
    frames = pathlib.Path('evaluation/frames.jsonl')
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not (frames.exists() and frames.stat().st_size) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(number)
    error = process.communicate()[1].decode()
    kept = [line for line in frames.read_text().splitlines() if line.endswith('}')]
    assert kept
    if process.returncode:  # it was not through already
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        if number == signal.SIGINT:
            assert "the results so far are kept in 'evaluation'; run the same command to resume" in error
    assert main(command[3:]) == 0
    lines = frames.read_text().splitlines()
    assert lines[:len(kept)] == kept and len(lines) == 40 == metrics()['frames']


@pytest.mark.skipif(torch.cuda.is_available(), reason='needs a machine without a GPU')
@pytest.mark.parametrize('arguments, words', [
    (['--backend', 'tensorrt'], 'TensorRT needs an NVIDIA GPU'),
    (['--device', 'gpu'], "device is 'gpu'; it must be auto, cpu, cuda or cuda:N")])
def test_an_engine_that_cannot_be_had_is_an_error(bag, tiny, capsys, arguments, words):
    assert main(['evaluate', bag, '--model', tiny, *arguments]) == 1
    assert words in capsys.readouterr().err and not os.path.exists('evaluation/report.html')


@pytest.mark.parametrize('backend, precision, device, words', [
    ('auto', 'auto', 'auto', ''), ('torch', 'fp32', 'cpu', ''), ('tensorrt', 'auto', 'auto', '^no GPU$'),
    ('auto', 'bf16', 'auto', '^no GPU$'), ('auto', 'auto', 'cuda:0', '^no GPU$')])
def test_a_node_that_fell_back_is_an_error(backend, precision, device, words):
    options = types.SimpleNamespace(backend=backend, precision=precision, device=device)
    engine = EngineInfo('torch', 'CPU, 2 threads', 'fp32', 1.0, fallback='no GPU')
    check_engine(options, None)
    if not words:
        return check_engine(options, engine)
    with pytest.raises(EngineError, match=words):
        check_engine(options, engine)
    with pytest.raises(EngineError, match='^the node runs torch in fp32 on CPU, 2 threads$'):
        check_engine(options, engine._replace(fallback=''))

"""The demo: three nodes as processes, watched, pictures left behind."""
import json
import re
import sys
import types

import cv2
import numpy as np
import pytest

from espnet_ros.cli import demo, main

pytestmark = pytest.mark.slow

pytest.importorskip('rclpy', reason='the demo needs ROS 2')


@pytest.fixture
def run_demo(tmp_path):
    """Function run_demo(*arguments) -> exit code, in a process whose environment it may change."""
    import subprocess

    def run(*arguments):
        return subprocess.run([sys.executable, '-m', 'espnet_ros.cli', 'demo', *arguments], cwd=tmp_path,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, timeout=500)
    return run


def test_demo_segments_the_street_and_leaves_pictures(run_demo, tiny, tmp_path):
    done = run_demo('--model', tiny, '--seconds', '3', '--out', str(tmp_path / 'out dir'))
    assert done.returncode == 0, done.stdout
    last = [line for line in done.stdout.splitlines() if ' fps | ' in line][-1]
    assert 'category mIOU' in last and ' 0 answered' not in last, done.stdout
    picture = cv2.imread(str(tmp_path / 'out dir/overlay.png'))
    assert picture.shape == (2 * 360, 480 + 240, 3)  # labels and legend; below, free space and grid from above
    assert re.search('Live page: http://localhost:[0-9]+\n', done.stdout)
    assert done.stdout.endswith('Report: {}\n'.format((tmp_path / 'out dir/evaluation/report.html').as_uri()))
    video = cv2.VideoCapture(str(tmp_path / 'out dir/overlay.mp4'))
    assert video.isOpened() and video.get(cv2.CAP_PROP_FRAME_COUNT) >= 1
    metrics = json.loads((tmp_path / 'out dir/evaluation/metrics.json').read_text())
    assert 0 <= metrics['averageScoreCategories'] <= 1 and (tmp_path / 'out dir/evaluation/report.html').is_file()
    frames = len((tmp_path / 'out dir/evaluation/frames.jsonl').read_text().splitlines())
    assert '{0} frames, {0} of {0} labeled ones scored'.format(frames) in done.stdout and frames >= 1
    assert {p.name for p in (tmp_path / 'out dir/logs').iterdir()} == {
        'camera.log', 'segmentation.log', 'ground.log', 'diagnostics.log', 'page.log'}


def test_demo_of_other_pictures_does_without_the_ground(run_demo, tiny, tmp_path):
    (tmp_path / 'folder').mkdir()
    cv2.imwrite(str(tmp_path / 'folder/a.png'), np.zeros((96, 128, 3), np.uint8))
    done = run_demo('--model', tiny, '--source', 'folder', '--seconds', '1')
    assert done.returncode == 0, done.stdout
    assert cv2.imread(str(tmp_path / 'demo/overlay.png')).shape[0] == 96
    assert not (tmp_path / 'demo/logs/ground.log').exists()


@pytest.mark.parametrize('arguments, sentence', [
    (['--model', 'no-such-model'], 'no-such-model'), (['--source', 'no-such-video.mp4'], 'no-such-video.mp4')])
def test_demo_ends_with_a_sentence_before_it_starts_what_cannot_work(run_demo, tiny, tmp_path, arguments, sentence):
    done = run_demo(*(arguments if '--model' in arguments else arguments + ['--model', tiny]))
    assert done.returncode == 1
    errors = [line for line in done.stdout.splitlines() if line.startswith('espnet-ros: error: ')]
    assert len(errors) == 1 and sentence in errors[0], done.stdout
    assert 'Traceback' not in done.stdout and 'engine' not in done.stdout  # nothing was started
    assert not (tmp_path / 'demo').exists()


def test_demo_is_a_command(capsys):
    with pytest.raises(SystemExit) as end:
        main(['demo', '--help'])
    assert end.value.code == 0 and 'overlay' not in capsys.readouterr().err


def test_frames_of_another_size_are_in_the_video_too(tmp_path):
    with demo._Recorder(tmp_path) as recorder:
        for number, (height, width) in enumerate([(48, 64)] * 3 + [(96, 128)] * 3 + [(30, 40)]):
            recorder.add(number / demo.VIDEO_RATE, np.full((height, width, 3), 30 * number, np.uint8))
    video = cv2.VideoCapture(str(tmp_path / 'overlay.mp4'))
    frames = [frame for is_there, frame in iter(video.read, (False, None)) if is_there]
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 6
    np.testing.assert_allclose([frame.mean() for frame in frames], [0, 30, 60, 90, 120, 150], atol=8)
    assert cv2.imread(str(tmp_path / 'overlay.png')).shape == (48, 64, 3)


@pytest.mark.parametrize('code', [0, 1])
def test_the_exit_code_of_the_evaluation_is_that_of_the_demo(tmp_path, monkeypatch, code):
    asked = []

    def evaluate(arguments):
        asked.append(arguments)
        return code
    monkeypatch.setattr(demo, 'main', evaluate)
    (tmp_path / 'recording').mkdir()  # of somebody who wants the demo's results beside it
    recording = demo._Recording()
    recording.add(np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.uint8))
    assert recording.evaluate(tmp_path, 'tiny') == code and (tmp_path / 'recording').is_dir()
    assert not list((tmp_path / 'recording').iterdir())
    assert asked[0][:4] == ['evaluate', str(tmp_path / 'evaluation' / 'demo'), '--model', 'tiny']


def test_the_live_line_stays_one_line_in_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '60')
    view = types.SimpleNamespace(frames=123456, rate=12.3, latency=0.123, dropped=123456, miou=0.8)
    demo._print_line(demo._line(view))
    demo._print_line('')
    first, *others = capsys.readouterr().out.split('\r')[1:]
    assert first.startswith('12.3 fps | 123 ms from camera to labels | 123456 answered') and len(first) == 59
    assert others == [59 * ' ', '']

"""A small part of the fault campaign, of a fixed seed: a refusal or success for each, within time."""
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from targets import TARGETS, rng_of

from espnet_ros.errors import EspnetError

NEED_ROS = ('Cdr', 'CameraInfos', 'Calibrations')
CASES = {'Weights': 12, 'Cards': 15, 'McapBags': 15}


@pytest.mark.parametrize('name', TARGETS)
def test_every_case_is_a_success_or_a_sentence(name, tmp_path):
    if name in NEED_ROS:
        pytest.importorskip('rclpy', reason='it needs ROS 2')
    target = TARGETS[name](tmp_path)
    verdicts = []
    for number in range(CASES.get(name, 30)):
        data = target.case(rng_of(1, name, number))
        began = time.process_time()
        try:
            target.run(data)
            verdicts.append('success')
        except EspnetError as error:
            assert '\n' not in str(error) and len(str(error)) < 3000
            verdicts.append('refused')
        assert time.process_time() - began < 20.0, number
    assert not (tmp_path / 'good').exists()  # run.py has a file there
    assert name == 'Metadata' or 'refused' in verdicts
    assert 'success' in verdicts or name in ('Weights', 'Cards', 'OnnxFiles')  # of these hardly one in a hundred


def test_a_case_is_the_same_for_the_same_seed(tmp_path):
    target = TARGETS['LabelSets'](tmp_path)
    cases = [[target.case(rng_of(seed, 'LabelSets', number)) for number in range(20)] for seed in (1, 1, 2)]
    assert cases[0] == cases[1] != cases[2]


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_a_campaign_that_is_ended_leaves_nothing(number, tmp_path):
    process = subprocess.Popen(
        [sys.executable, str(pathlib.Path(__file__).with_name('run.py')), '--targets', 'LabelSets'],
        env=dict(os.environ, TMPDIR=str(tmp_path)))
    try:
        while not list(tmp_path.glob('espnet_ros_campaign_*/LabelSets/good')):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    finally:
        process.kill()
        process.wait()
    assert not list(tmp_path.iterdir())

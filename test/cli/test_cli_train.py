"""The command espnet-ros train."""
import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
import yaml

from espnet_ros import models
from espnet_ros.cli import main
from espnet_ros.models.checkpoint import read_weights
from espnet_ros.training.result import percent

SMALL = ['--threads', '1', '--workers', '0', '--set', 'alpha2=1', 'alpha3=1', 'size=[64, 64]', 'encoder_crop=[64, 64]',
         'crop=[64, 64]', 'batch=4', 'encoder_batch=0', 'encoder_epochs=1', 'epochs=2', 'outputs=0',
         'validate_epochs=1', 'picture_epochs=10']


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv('ESPNET_ROS_MODELS', str(tmp_path / 'own'))
    monkeypatch.setenv('ESPNET_ROS_CACHE', str(tmp_path / 'cache'))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope='module', autouse=True)
def threads():
    """Restores the number of threads of PyTorch, which --threads changes."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """The home folder in which a model was trained to ~/mine, and what that printed."""
    home, text = tmp_path_factory.mktemp('home'), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(text):
        patch.setenv('HOME', str(home))
        patch.setenv('ESPNET_ROS_CACHE', str(home / 'cache'))
        assert main(['train', '--data', 'drive:8:64x64', '--data', 'drive:8:64x64:900', '--val', 'drive:3:96x80:50',
                     '--name', 'mine', '--license', 'MIT', '--description', 'for tests', '--out=~/mine', *SMALL]) == 0
    return home, text.getvalue()


@pytest.mark.slow
def test_a_training_prints_its_data_stages_and_results(trained):
    _, text = trained
    assert 'drive seed 0: 8 images, kept in memory\ndrive seed 900: 8 images, kept in memory\n' in text
    assert 'stage 1, encoder: 1 epochs, initialized with random weights\n' in text
    assert 'class mIOU' in text and 'drive seed 50' in text.split('validation')[-1]
    assert text.rstrip().endswith('/mine/mine.yaml') and 'to use it by name: espnet-ros models add ' in text


@pytest.mark.slow
def test_the_files_of_a_training(trained):
    out = trained[0] / 'mine'
    left = {path.name for path in out.iterdir()}
    assert left - {'tensorboard'} == {
        'mine.yaml', 'mine.pth', 'log.csv', 'curves.png', 'pictures', 'checkpoint.pt', 'report'}
    card = models.find(str(out / 'mine.yaml')).card
    assert (card.license, card.description, card.label_set.name) == ('MIT', 'for tests', 'cityscapes')
    assert card.training['data'] == ['8 images of drive seed 0, weight 1', '8 images of drive seed 900, weight 1']
    assert card.training['settings']['epochs'] == 2 and card.training['command'].startswith('espnet-ros train')
    metrics = json.loads((out / 'report' / '1-drive-seed-50' / 'metrics.json').read_text())
    result = card.results['drive seed 50']
    assert result['category mIOU'] == round(100 * metrics['averageScoreCategories'], 2)
    assert result['class mIOU'] == round(100 * metrics['averageScoreClasses'], 2)
    assert list(result['category IoU']) == ['flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle']


@pytest.mark.slow
def test_a_trained_model_works_by_its_name(trained):
    assert main(['models', 'add', str(trained[0] / 'mine' / 'mine.yaml')]) == 0
    cv2.imwrite('picture.png', np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8))
    assert main(['predict', 'picture.png', '--model', 'mine', '--out', 'seen']) == 0
    assert cv2.imread('seen/picture_labels.png', cv2.IMREAD_UNCHANGED).shape == (40, 60)


def test_a_class_that_never_occurs_has_no_score():
    assert (percent(np.float64(0.70103)), percent(math.nan)) == (70.1, None)


@pytest.mark.slow
def test_initialization_with_another_model(trained, capsys):
    path = str(trained[0] / 'mine' / 'mine.yaml')
    assert main(['train', '--data', 'drive:8:64x64', '--out', 'second', '--name', 'second', '--from', path, *SMALL,
                 'labels=categories', 'encoder_epochs=0', 'epochs=1']) == 0
    text = capsys.readouterr().out
    assert 'initialized with mine (' in text and 'random, different shape: ' in text
    first, second = (models.find(path).card for path in (path, 'second/second.yaml'))
    assert (second.mean, second.std) == (first.mean, first.std)  # that of the pretrained weights
    assert second.training['began with'] == 'mine, SHA-256 of its weights: ' + first.sha256
    assert second.label_set.name == 'categories'


@pytest.mark.timeout(900)
def test_a_training_that_was_killed_resumes_exactly(tmp_path):
    arguments = ['train', '--data', 'drive:8:64x64', '--name', 'mine', *SMALL, 'epochs=6', 'ema=0.9',
                 'checkpoint_steps=1']
    assert main([*arguments, '--out', 'whole']) == 0
    command = [sys.executable, '-m', 'espnet_ros.cli', *arguments, '--out', 'killed']
    table = tmp_path / 'killed' / 'log.csv'
    for rows in (1, 3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while 'epoch {}:'.format(rows) not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)  # wherever it is then
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        assert rows < len(table.read_text().splitlines()) < 8
    assert not (tmp_path / 'killed' / 'mine.pth').exists()
    assert main([*arguments, '--out', 'killed']) == 0
    whole, killed = (read_weights(name + '/mine.pth') for name in ('whole', 'killed'))
    assert all((whole[key] == killed[key]).all() for key in whole) and list(whole) == list(killed)
    assert len(table.read_text().splitlines()) == 1 + 7


def test_show(capsys):
    assert main(['train', '--recipe', 'modern', '--set', 'epochs=7', '--show']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert yaml.safe_load('\n'.join(lines))['epochs'] == 7
    assert next(line for line in lines if line.startswith('epochs: 7')).split('  # ')[1].startswith('second stage')


@pytest.mark.parametrize('arguments, sentence', [
    (['--data', 'drive:8:64x64', '--set', 'epoch=3'], 'no setting .epoch., did you mean epochs?'),
    (['--data', 'drive:8:64x64', '--recipe', 'best'], "no recipe is called 'best'"),
    ([], 'there is nothing to train on; name datasets with --data'),
    (['--data', 'drive:8:64x64@0'], 'must be above 0'),
    (['--data', 'drive:8:64x64', '--val', 'drive:8:64x64@2'], 'a validation dataset cannot have a weight'),
    (['--data', 'camvid:nowhere:train'], "no folder 'nowhere"),
    (['--data', 'drive:8:64x64', '--from', 'none'], "no model is called 'none'"),
    (['--data', 'drive:8:64x64', '--backbone', 'x.pth'], 'the family espnet takes no backbone; fcn8s, '),
    (['--data', 'drive:8:64x64', '--backbone', 'x.pth', '--set', 'family=segnet'], "cannot read the weights 'x.pth'"),
    (['--data', 'drive:8:64x64', '--backbone', 'x.pth', '--from', 'y'], 'give one of them'),
    (['--data', 'drive:8:64x64', '--name', 'With Spaces'], "name 'With Spaces' must be"),
    (['--data', 'drive:3:64x64', *SMALL], 'too few for a batch of 4'),
    (['--data', 'drive:8:64x64', '--device', 'tpu'], "cannot train on device 'tpu'"),
])
def test_mistakes_are_one_sentence(arguments, sentence, capsys):
    assert main(['train', *arguments]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith('espnet-ros: error: ') and sentence.replace('.epoch.', "'epoch'") in error


def test_images_that_cannot_be_used_are_named(tmp_path, capsys):
    for name in ('train', 'trainannot'):
        (tmp_path / name).mkdir()
    for i in range(4):
        cv2.imwrite('train/{}.png'.format(i), np.zeros((64, 64, 3), np.uint8))
        cv2.imwrite('trainannot/{}.png'.format(i), np.full((64, 64), 12 if i == 2 else 1, np.uint8))
    assert main(['train', '--data', 'camvid:.:train', *SMALL]) == 1
    error = capsys.readouterr().err
    assert '1 of 4 images of camvid train cannot be used' in error
    assert "2.png' holds the value 12 in 4096 pixels" in error


@pytest.mark.slow
def test_interrupted_by_the_user(tmp_path):
    process = subprocess.Popen(
        [sys.executable, '-m', 'espnet_ros.cli', 'train', '--data', 'drive:8:64x64', '--name', 'mine', *SMALL,
         'epochs=100000'], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    while 'stage 2, epoch 2' not in process.stdout.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert 'kept; run the same command again to resume\nespnet-ros: interrupted\n' in errors
    assert 'Traceback' not in errors

"""`espnet-ros bag`, as a user types it."""
import json
import pathlib

import pytest

from espnet_ros import cli
from espnet_ros.bags.reader import open_bag


def run(*arguments):
    return cli.main(['bag', *map(str, arguments)])


def test_create_and_info(tmp_path, capsys):
    out = tmp_path / 'run'
    assert run('create', 'drive:3:96x64', 'drive:2:64x64:5', '--out', out, '--rate', '4', '--camera', '/front',
               '--images', 'png', '--storage', 'sqlite3') == 0
    assert capsys.readouterr().out == '{}: 5 labeled frames of cityscapes, 1.2 s\n'.format(out)
    with open_bag(out) as bag:
        assert [frame.image.shape for frame in bag] == [(64, 96, 3)] * 3 + [(64, 64, 3)] * 2
    assert run('info', out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('{}: 0.'.format(out)) and lines[0].endswith('MB, 1.000 s from 2001-09-09 01:46:40 UTC')
    assert [line.split() for line in lines[1:6]] == [
        ['TOPIC', 'TYPE', 'MESSAGES', 'RATE'],
        ['/front/camera_info', 'sensor_msgs/msg/CameraInfo', '5', '4.00', 'Hz'],
        ['/front/ground_truth', 'sensor_msgs/msg/Image', '5', '4.00', 'Hz'],
        ['/front/ground_truth/label_map', 'std_msgs/msg/String', '1', '0.00', 'Hz'],
        ['/front/image_raw/compressed', 'sensor_msgs/msg/CompressedImage', '5', '4.00', 'Hz']]
    assert lines[6:] == ['frames: 5 on /front/image_raw/compressed, 5 of them with ground truth on /front/ground_truth',
                         'labels: cityscapes, 19 classes']


def test_info_for_programs(tmp_path, capsys):
    run('create', 'drive:3:64x64', '--out', tmp_path / 'run')
    (tmp_path / 'run' / 'metadata.yaml').unlink()
    capsys.readouterr()
    assert run('info', tmp_path / 'run', '--json', '--truth', 'labelIds', '--truth-labels', 'categories') == 0
    bag, = json.loads(capsys.readouterr().out)
    assert bag['streams'] == [{'image_topic': '/camera/image_raw', 'truth_topic': '/camera/ground_truth', 'frames': 3,
                               'labeled': 3, 'instances': 0}]
    assert bag['label_set']['name'] == 'categories' and bag['start'] == 1e9 and bag['end'] == 1e9 + 0.2
    assert bag['problems'] == [
        "'run' has no metadata.yaml; its files are read in the order of their names",
        'the ground truth on /camera/ground_truth is read as categories, as requested; the label map on '
        '/camera/ground_truth/label_map is ignored']


def test_problems_are_shown(tmp_path, capsys):
    run('create', 'drive:8:64x64', '--out', tmp_path / 'run', '--compression', 'none')
    path = tmp_path / 'run' / 'run.mcap'
    with open(path, 'r+b') as stream:
        stream.truncate(path.stat().st_size // 2)
    capsys.readouterr()
    assert run('info', path) == 0
    problem, = (line for line in capsys.readouterr().out.splitlines() if line.startswith('problem: '))
    assert problem.startswith("problem: 'run.mcap' was cut off in the record at byte ")


@pytest.mark.parametrize('arguments, sentence', [
    (['create', 'camvid:none:val', '--out', 'x'], "there is no folder 'none/val'"),
    (['create', 'nothing', '--out', 'x'], "'nothing' is not a dataset"),
    (['create', 'drive:1:64x64', '--out', 'x', '--rate', '-1'], 'rate -1.0 must be above 0'),
    (['create', 'drive:1:64x64', '--out', '.'], "'.' already exists"),
    (['info', 'none'], "'none' is not a bag, there is no such file"),
    (['info', 'none', '--truth', 'ids'], "ground truth 'ids' needs a label set"),
    (['info', 'none', '--truth', 'none.yaml'], "cannot read the mapping file 'none.yaml'")])
def test_mistakes_are_one_sentence(capsys, arguments, sentence):
    assert run(*arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('espnet-ros: error: ' + sentence) and error.count('\n') == 1
    assert list(pathlib.Path('.').iterdir()) == []


@pytest.mark.parametrize('arguments', [[], ['create'], ['create', 'x'], ['info'], ['create', 'x', '--out', 'y',
                                                                                 '--images', 'gif']])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2


def test_help_names_the_datasets(capsys):
    with pytest.raises(SystemExit):
        run('create', '--help')
    text = capsys.readouterr().out
    assert 'cityscapes:FOLDER:SPLIT' in text and 'CAMERA/ground_truth/label_map' in text

"""The floor for real: what a robot runs, on its Python 3.6 with PyTorch 1.9, NumPy 1.19 and OpenCV 4.1."""
import json
import os
import subprocess

import pytest
from test_rules import ABOVE_ROBOT, ROOT, package_files, robot_files

VARIABLE = 'ESPNET_ROS_FLOOR_PYTHON'
"""Names another interpreter than that of the environment `make floor` makes."""
pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def report():
    """What floor_program.py found, with the interpreter of an environment that holds the packages named above."""
    interpreter = os.environ.get(VARIABLE, str(ROOT / '.floor' / 'bin' / 'python'))
    if not os.path.exists(interpreter):
        pytest.skip('needs the environment of Python 3.6 that `make floor` makes')
    shared = ROOT.parent / 'shared'
    modules = ['.'.join(path.relative_to(ROOT).with_suffix('').parts).replace('.__init__', '')
               for path in package_files(ABOVE_ROBOT | {'nodes'}) if path.name != '__main__.py']
    arguments = json.dumps([str(shared) if (shared / 'DATA.md').is_file() else '', modules,
                            [str(path) for path in robot_files()]])
    environment = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    done = subprocess.run([interpreter, str(ROOT / 'test' / 'support' / 'floor_program.py'), arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=250,
                          env=dict(environment, PYTHONDONTWRITEBYTECODE='1', OMP_WAIT_POLICY='PASSIVE'))
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]), expected=(len(robot_files()), len(modules)))


def test_everything_compiles_and_all_but_nodes_imports(report):
    assert (report['compiled'], report['imported']) == report['expected']
    assert report['imported'] > 30


def test_it_is_the_floor(report):
    # Newer is no proof for a robot.
    assert report['versions']['python'].startswith('3.6.')
    assert report['versions']['torch'].startswith(('1.9.', '1.10.'))
    assert report['versions']['numpy'].startswith('1.19.') and report['versions']['cv2'].startswith('4.1.')


def test_each_part_works(report):
    work = report['work']
    assert work['model'] == 'small' and set(work['labels']) <= {2, 5, 9, 255} and len(work['labels']) > 1
    assert work['stages'] == ['preprocess', 'inference', 'postprocess'] and work['refusals'] == 3
    assert 'none that TensorRT runs on' in work['fallback'] and work['models'] >= 7
    assert work['machine'] == ['robot: CPU', 'robot: Memory']


def test_the_authors_networks_give_the_golden_results(report):
    if report['golden'] is None:
        pytest.skip('needs the reference data folder shared/ beside the checkout')
    assert len(report['golden']) == 7
    compared = [values for images in report['golden'].values() for values in images.values()]
    assert len(compared) == 9 and min(values['labels'] for values in compared) >= 0.999
    logits = [values['logits'] for values in compared if 'logits' in values]
    assert len(logits) == 4 and max(logits) < 1e-3

"""How much memory an engine takes at its peak, and that frames add nothing to it, in processes of their own."""
import json
import pathlib
import subprocess
import sys

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# As the node does it: images of a camera in, labels, confidence and overlay out.
_PROGRAM = """
import json, sys
from espnet_ros import models
from espnet_ros.images import render
from espnet_ros.engine import build_engine
from espnet_ros.scene import Street
from espnet_ros.segmenter import Segmenter

def memory(name):
    with open('/proc/self/status') as stream:
        return next(int(line.split()[1]) * 1024 for line in stream if line.startswith(name))

backend, width, height, frames = sys.argv[1], *map(int, sys.argv[2:])
model = models.find(models.DEFAULT)
segmenter = Segmenter(build_engine(model.card, models.load(model), width, height, backend))
street = Street(640, 400)
images = [street.frame(0.7 * i).image for i in range(4)]
palette = model.card.label_set.palette()
used = []
for i in range(frames):
    image = images[i % 4]
    result = segmenter.segment(image, True, 0.5 * (i % 2))
    render.overlay(image, render.colorize(result.labels, palette), 0.5, result.labels)
    used.append(memory('VmRSS'))
info = segmenter.engine.describe()
json.dump({'used': used, 'peak': memory('VmHWM'), 'files': memory('RssFile'), 'backend': info.backend,
           'fallback': info.fallback}, sys.stdout)
"""


def measured(backend, width, height, frames):
    if not pathlib.Path('/proc/self/status').exists():
        pytest.skip('there is no /proc to read memory from')
    done = subprocess.run([sys.executable, '-c', _PROGRAM, backend, str(width), str(height), str(frames)], check=True,
                          cwd=str(REPOSITORY), stdout=subprocess.PIPE)
    found = json.loads(done.stdout.decode())
    assert (found['backend'], found['fallback']) == (backend, '')
    print('{} at {}x{}: peak {:.0f} MB, {:.0f} of them files, {:.1f} MB after {} frames'.format(
        backend, width, height, found['peak'] / 1e6, found['files'] / 1e6, found['used'][-1] / 1e6, frames))
    return found


@pytest.mark.timeout(600)
@pytest.mark.parametrize('backend', ['openvino', 'torch'])
def test_frames_leave_memory_flat(backend):
    if backend == 'openvino':
        pytest.importorskip('openvino')
        pytest.importorskip('onnx')
    found = measured(backend, 480, 360, 120)
    assert found['used'][-1] - found['used'][19] < 8 << 20


@pytest.mark.timeout(600)
def test_the_peak_at_1024x512():
    """Without the libraries' files: of these the kernel maps from 190 to 340 MB, as they lie in its cache."""
    pytest.importorskip('openvino')
    pytest.importorskip('onnx')
    for backend in ('openvino', 'torch'):
        found = measured(backend, 1024, 512, 8)  # each of the four images, with and without confidence
        assert found['peak'] - found['files'] < 420e6

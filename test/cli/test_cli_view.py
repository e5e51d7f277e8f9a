"""`espnet-ros view` beside a real camera and segmentation node."""
import json
import re
import struct
import time

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from ros_process import wait_until
from websockets.sync.client import connect

from espnet_ros.bags.writer import write_bag
from espnet_ros.cli import main
from espnet_ros.cli.view import _play
from espnet_ros.datasets.synthetic import Drive
from espnet_ros.errors import EspnetError


@pytest.fixture
def view(start_node, tiny):
    """The view command's process; a segmentation node and its camera run beside it."""
    segmentation = start_node('espnet_ros.nodes.segmentation.__main__', '--ros-args', '-r', 'image:=image_raw', '-p',
                              'model:=' + tiny, '-p', 'backend:=torch')
    start_node('espnet_ros.nodes.camera.__main__', '--ros-args', '-p', 'source:=street', '-p', 'width:=96', '-p',
               'height:=64', '-p', 'rate:=10.0')
    segmentation.wait_for('engine ready')
    return start_node('espnet_ros.cli', 'view', '--port', '0')


def test_camera_and_results_come_in_pairs_and_only_while_somebody_looks(view, observer):
    diagnostics = observer.collect(DiagnosticArray, '/diagnostics')

    def subscribers():
        values = [{v.key: v.value for v in status.values} for message in diagnostics[-3:]
                  for status in message.status if status.name == 'espnet: Output']
        return int(values[-1]['subscribers']) if values else None

    view.wait_for('Live page: ')
    port = int(re.search(r'http://localhost:(\d+)', view.output)[1])
    assert 'ssh -L {0}:localhost:{0} '.format(port) in view.output
    state: dict = {}
    with connect('ws://localhost:{}/live'.format(port), max_size=None, proxy=None) as socket:
        def take(output):
            """The next frame's camera image and result as BGR; the newest state goes to `state`."""
            socket.send(json.dumps({'output': output}))
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                message = socket.recv(timeout=60)
                if isinstance(message, bytes):
                    size, = struct.unpack_from('<I', message, 8)
                    return [None if not data else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
                            for data in (message[12:12 + size], message[12 + size:])]
                state.update(json.loads(message))
            raise AssertionError('no frame')

        def pair(output):
            """A frame with both; the first may lack its camera image."""
            found = take(output)
            while found[0] is None:
                found = take(output)
            return found

        camera, overlay = pair('overlay')
        assert camera.shape == overlay.shape == (64, 96, 3)
        assert abs(camera.astype(int) - overlay).mean() > 5  # colors lie over it
        _, mask = pair('mask/vehicle')
        assert set(np.unique(mask // 128)) <= {0, 1} and mask.shape == (64, 96, 3)
        wait_until(lambda: take('overlay') and state.get('answered') not in (None, '-', 0), 60)
        wait_until(lambda: take('overlay') and subscribers() == 1, 60)
    assert state['node'] == '/espnet' and state['level'] in ('OK', 'WARN') and state['engine'].startswith('ready, tiny')
    assert [name for name, _ in state['legend']][:2] == ['Sky', 'Building']
    assert 'stamp to output' in [row[0] for row in state['stages']]
    wait_until(lambda: subscribers() == 0, 60)


def test_a_bag_is_shown_with_its_labels(start_node, tiny, tmp_path):
    write_bag(tmp_path / 'drive', [Drive(5, 96, 64)])
    view = start_node('espnet_ros.cli', 'view', '--port', '0', '--bag', str(tmp_path / 'drive'), '--model', tiny)
    view.wait_for('http://localhost:')
    port = int(re.search(r'http://localhost:(\d+)', view.output)[1])
    pairs = []
    with connect('ws://localhost:{}/live'.format(port), max_size=None, proxy=None) as socket:
        deadline = time.monotonic() + 120
        while len(pairs) < 8 and time.monotonic() < deadline:  # more than the bag has: it begins again
            socket.send(json.dumps({'output': 'overlay'}))
            message = socket.recv(timeout=100)
            if isinstance(message, bytes):
                pairs.append(message)
    assert len(pairs) == 8


def test_a_bag_without_a_readable_image_is_not_played_forever():
    bag = type('Bag', (list,), {'problems': ['3 messages skipped']})()
    with pytest.raises(EspnetError, match='none of the images can be shown: 3 messages skipped'):
        _play(bag, None, None)


def test_mistakes_are_one_sentence(capsys):
    assert main(['view', '--bag', 'nowhere']) == 1
    assert "'nowhere' is not a bag, there is no such file" in capsys.readouterr().err
    assert main(['view', '--model', 'camvid-espnet-q3']) == 1
    assert '--model camvid-espnet-q3 has no effect without --bag' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['view', '--port', '99999'])
    assert 'argument --port: 99999 is not from 0 to 65535' in capsys.readouterr().err

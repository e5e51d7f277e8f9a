"""The node runs an ONNX network that somebody else made, by its card."""
import json

import numpy as np
import pytest
from segmentation_rig import pixels_of

pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
import torch  # noqa: E402
from foreign_networks import MEAN, NETWORKS, STD, foreign_network, normalized, onnx_bytes  # noqa: E402
from onnx_files import HEIGHT, WIDTH, classifier  # noqa: E402
from torch.nn import functional  # noqa: E402

from espnet_ros import models  # noqa: E402
from espnet_ros.engine.verification import example_images  # noqa: E402
from espnet_ros.labels import CITYSCAPES, LabelClass, LabelSet  # noqa: E402
from espnet_ros.models.card import write_card  # noqa: E402
from espnet_ros.models.checkpoint import sha256_of  # noqa: E402
from espnet_ros.models.onnx_file import OnnxConfig  # noqa: E402

COLORS = LabelSet('colors', (LabelClass(4, 'red', 3, (255, 0, 0)), LabelClass(7, 'green', 4, (0, 255, 0)),
                             LabelClass(9, 'blue', 5, (0, 0, 255))))


@pytest.fixture(scope='module')
def card_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp('onnx')
    (folder / 'colors.onnx').write_bytes(classifier())
    write_card(models.untrained('espnet', classes=3)._replace(
        name='colors', label_set=COLORS, outputs=COLORS.ids, architecture=OnnxConfig(classes=3), input_width=WIDTH,
        input_height=HEIGHT, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), divisor=1.0, weights='colors.onnx',
        sha256=sha256_of(folder / 'colors.onnx')), folder / 'colors.yaml')
    return folder / 'colors.yaml'


def test_stamps_labels_label_map_and_diagnostics(restart, card_path):
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header, String

    from espnet_ros.nodes.common.messages import array_to_image
    from espnet_ros.nodes.segmentation.outputs import LATCHED_QOS
    rig = restart(model=str(card_path), backend='onnxruntime')
    labels, label_maps = rig.collect(Image, 'labels'), rig.collect(String, 'label_map', LATCHED_QOS)
    channel = np.random.RandomState(0).randint(0, 3, (HEIGHT, WIDTH))
    image = array_to_image((np.eye(3)[channel] * 200).astype(np.uint8), 'rgb8', Header())
    answer = rig.ask(image, labels)
    np.testing.assert_array_equal(pixels_of(answer), np.array(COLORS.ids, np.uint8)[channel])
    assert answer.header.frame_id == 'camera' and answer.header.stamp.sec > 0
    assert [each['name'] for each in json.loads(label_maps[0].data)['classes']] == ['red', 'green', 'blue']
    assert rig.fresh('Engine')['backend'] == 'onnxruntime'
    assert rig.settled_counts()['published'] >= 1


@pytest.mark.parametrize('name', NETWORKS)
def test_networks_of_other_libraries_label_as_in_pytorch(restart, tmp_path, name):
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from espnet_ros.nodes.common.messages import array_to_image
    network = foreign_network(name)
    (tmp_path / 'net.onnx').write_bytes(onnx_bytes(network, 17))
    config = OnnxConfig(classes=19, stride=4 if name == 'segformer' else 1)
    write_card(models.untrained('espnet', classes=19)._replace(
        name='net', label_set=CITYSCAPES, outputs=CITYSCAPES.ids, architecture=config, input_width=WIDTH,
        input_height=HEIGHT, mean=MEAN, std=STD, divisor=1.0, weights='net.onnx',
        sha256=sha256_of(tmp_path / 'net.onnx')), tmp_path / 'net.yaml')
    rig = restart(model=str(tmp_path / 'net.yaml'), backend='onnxruntime')
    labels = rig.collect(Image, 'labels')
    image = example_images(WIDTH, HEIGHT)[0]
    answer = rig.ask(array_to_image(image, 'bgr8', Header()), labels)
    with torch.no_grad():
        wanted = functional.interpolate(network(normalized(image)), size=(HEIGHT, WIDTH), mode='bilinear',
                                        align_corners=False).argmax(1)[0].numpy()
    found = pixels_of(answer)
    assert len(np.unique(found)) > 3 and (found == wanted).mean() >= 0.999
    assert rig.fresh('Engine')['backend'] == 'onnxruntime'

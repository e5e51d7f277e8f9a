"""The whole way over DDS on real images: three processes, the authors' weights, every pixel counted."""
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from ros_process import environment, wait_until

PUBLISHER = pathlib.Path(__file__).resolve().parents[2] / 'support' / 'folder_publisher.py'


@pytest.mark.timeout(600)
def test_camvid_over_dds_gives_the_reference_confusion_matrix(shared, ros_domain, start_node, observer):
    from sensor_msgs.msg import Image
    start_node('espnet_ros.nodes.segmentation.__main__', '--ros-args', '-p',
               'model:={}'.format(shared / 'weights/espnet/espnet_p_2_q_8_camvid.pth'), '-p', 'precision:=fp32')
    answers = observer.collect(Image, '/espnet/labels', 200)
    inputs = observer.collect(Image, '/image', 200)
    folder = shared / 'data/camvid/val'
    publisher = subprocess.run([sys.executable, str(PUBLISHER), str(folder)], env=environment(ros_domain),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=500)
    assert publisher.returncode == 0, publisher.stdout.decode()
    paths = sorted(folder.glob('*.png'))
    assert len(paths) == 101
    wait_until(lambda: len(answers) == 101 and len(inputs) == 101)

    confusion = np.zeros((12, 12), np.int64)
    for i, (path, sent, answer) in enumerate(zip(paths, inputs, answers)):
        assert answer.header == sent.header and answer.header.frame_id == 'camera_{}'.format(i)
        assert (answer.encoding, answer.width, answer.height, answer.step) == ('mono8', 480, 360, 480)
        labels = np.frombuffer(answer.data, np.uint8).reshape(360, 480)
        # The reference counts the network's background output, our 255, as class 11.
        predicted = np.where(labels == 255, 11, labels)
        truth = cv2.imread(str(shared / 'data/camvid/valannot' / path.name), cv2.IMREAD_UNCHANGED)
        confusion += np.bincount(12 * truth.ravel().astype(int) + predicted.ravel(), minlength=144).reshape(12, 12)
    reference = np.loadtxt(shared / 'golden/camvid_val_confusion_q8.csv', delimiter=',', dtype=np.int64)
    assert confusion.sum() == reference.sum() == 101 * 480 * 360
    moved = np.abs(confusion - reference).sum() / 2
    assert moved <= 0.001 * reference.sum(), '{} pixels differ'.format(moved)

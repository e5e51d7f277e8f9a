"""The examples, as they are."""
import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from ros_process import environment, wait_until

from espnet_ros.bags.writer import write_bag
from espnet_ros.datasets import Memory, Streets
from espnet_ros.labels import CITYSCAPES

pytestmark = pytest.mark.slow

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / 'examples'


def run(*command, folder, **options):
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ['PATH']])
    return subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
                          env=dict(os.environ, PATH=path, PYTHONPATH=str(EXAMPLES.parent)), **options)


def test_a_picture():
    done = run(sys.executable, 'examples/picture.py', folder=EXAMPLES.parent)
    shape, confidence = done.stdout.rsplit(' ', 1)
    assert done.returncode == 0 and shape == '(563, 751) uint8' and 100 < float(confidence) <= 255, done.stdout


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_planners_node_reads_the_mask_and_ends_cleanly(ros_domain, tmp_path, number):
    import rclpy
    from sensor_msgs.msg import Image
    from std_msgs.msg import Float32
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=ros_domain)
    node = rclpy.create_node('test_of_the_example', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    answers = []
    node.create_subscription(Float32, '/free_ground', answers.append, 1)
    publisher = node.create_publisher(Image, '/espnet/mask/flat', 1)
    mask = np.zeros((90, 120), np.uint8)
    mask[60:75, 40:80] = 255  # half of what lies ahead
    message = Image(height=90, width=120, encoding='mono8', step=120, data=mask.tobytes())
    example = subprocess.Popen([sys.executable, EXAMPLES / 'planner.py'], env=environment(ros_domain),
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        def asked():
            publisher.publish(message)
            executor.spin_once(timeout_sec=0.1)
            return answers
        wait_until(asked, 60)
        example.send_signal(number)
        output, _ = example.communicate(timeout=60)
    finally:
        example.kill()
        node.destroy_node()
        context.try_shutdown()
    assert answers[0].data == 0.5
    assert 'Traceback' not in output and (example.returncode in (0, -number))


def test_a_gate_for_ci(tmp_path):
    images = [(item.image, item.labels) for item in Streets(2, 160, 120)]
    write_bag(tmp_path / 'good', [Memory('streets', CITYSCAPES, images)])
    wrong = [(image, np.full_like(labels, 10)) for image, labels in images]  # all is sky
    write_bag(tmp_path / 'bad', [Memory('streets', CITYSCAPES, wrong)])
    done = run(EXAMPLES / 'robot_ci.sh', 'bad', folder=tmp_path)
    assert done.returncode == 1 and 'category' in done.stdout.lower(), done.stdout
    assert run(EXAMPLES / 'robot_ci.sh', folder=tmp_path).returncode != 0
    done = run(EXAMPLES / 'robot_ci.sh', 'good', 'camvid-espnet-q8', folder=tmp_path)
    assert (tmp_path / 'evaluation' / 'report.html').is_file(), done.stdout

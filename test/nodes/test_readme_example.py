"""The README's subscriber, as it stands there, beside a real node."""
import pathlib
import re
import subprocess
import sys

import numpy as np
from ros_process import environment, wait_until
from segmentation_rig import picture, pixels_of

README = pathlib.Path(__file__).resolve().parents[2] / 'README.md'


def test_readme_example_reads_the_flat_mask(start_rig, ros_domain, small_model, tmp_path):
    from sensor_msgs.msg import Image
    from std_msgs.msg import Float32, Header

    from espnet_ros.nodes.common.messages import array_to_image
    (code,) = re.findall(r'```python\n(.*?)```', README.read_text(encoding='utf-8'), re.S)
    (tmp_path / 'free_road.py').write_text(code, encoding='utf-8')
    rig = start_rig('model:={}'.format(small_model))
    example = subprocess.Popen(
        [sys.executable, str(tmp_path / 'free_road.py'), '--ros-args',
         '-r', '/espnet/mask/flat:={}/mask/flat'.format(rig.name)], env=environment(ros_domain))
    try:
        answers = rig.observer.collect(Float32, '/free_road')
        masks = rig.collect(Image, 'mask/flat')
        wait_until(lambda: rig.node.count_publishers('/free_road'))
        image = array_to_image(picture(), 'bgr8', Header())
        # Again and again: the example may meet the node later than this test does.
        wait_until(lambda: rig.ask(image, masks) and answers)
    finally:
        example.kill()
        example.wait()
    mask = pixels_of(masks[-1])
    assert answers[-1].data == np.float32(np.mean(mask[80:, 53:106] == 255))

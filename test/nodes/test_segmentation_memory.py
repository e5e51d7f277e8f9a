"""The most memory that the segmentation node takes on a CPU."""
import psutil
import pytest
from segmentation_rig import picture

from espnet_ros.nodes.messages import array_to_image


@pytest.mark.timeout(300)
def test_peak_at_1024x512_is_below_600_mb(start_rig):
    """The default model with `auto`, while labels, confidence and overlay are watched."""
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    rig = start_rig('input_width:=1024', 'input_height:=512')
    labels, overlays, _ = (rig.collect(Image, output) for output in ('labels', 'overlay', 'confidence'))
    image = array_to_image(picture(1024, 512), 'bgr8', Header())
    for _ in range(20):
        rig.ask(image, labels)
    assert overlays
    with open('/proc/{}/status'.format(rig.process.pid)) as stream:
        peak = next(int(line.split()[1]) * 1024 for line in stream if line.startswith('VmHWM'))
    now = psutil.Process(rig.process.pid).memory_info().rss
    print('{}: peak {:.0f} MB, now {:.0f} MB'.format(rig.values('Engine')['backend'], peak / 1e6, now / 1e6))
    assert now <= peak < 600e6
    rig.close()

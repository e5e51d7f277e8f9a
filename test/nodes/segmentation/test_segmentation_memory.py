"""The most memory that the segmentation node takes on a CPU."""
import pytest
from segmentation_rig import picture

from espnet_ros.nodes.common.messages import array_to_image


@pytest.mark.timeout(300)
def test_peak_at_1024x512(start_rig):
    """The default model with `auto`, while labels, confidence and overlay are watched.

    Without the libraries' files: of these the kernel maps more or less, as they lie in its cache.
    """
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    rig = start_rig('input_width:=1024', 'input_height:=512')
    labels, overlays, _ = (rig.collect(Image, output) for output in ('labels', 'overlay', 'confidence'))
    image = array_to_image(picture(1024, 512), 'bgr8', Header())
    for _ in range(20):
        rig.ask(image, labels)
    assert overlays
    with open('/proc/{}/status'.format(rig.process.pid)) as stream:
        lines = [line.split() for line in stream if line.startswith(('VmHWM', 'RssFile'))]
    sizes = {name.rstrip(':'): int(size) * 1024 for name, size, _ in lines}
    print('{}: peak {:.0f} MB, {:.0f} of them files'.format(
        rig.values('Engine')['backend'], sizes['VmHWM'] / 1e6, sizes['RssFile'] / 1e6))
    assert sizes['VmHWM'] - sizes['RssFile'] < 450e6
    rig.close()

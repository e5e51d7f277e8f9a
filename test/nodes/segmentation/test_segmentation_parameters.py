"""The node's parameters: wrong values get a reason, at run time and at start, and a mended node works."""
import pytest
from ros_process import wait_until
from segmentation_rig import picture

from espnet_ros.nodes.common.messages import array_to_image

WRONG = [
    ('confidence_threshold', float('nan'), 'confidence_threshold out of range Min: 0.0, Max: 1.0, value: nan'),
    ('confidence_threshold', float('inf'), 'out of range'),
    ('confidence_threshold', -0.1, 'out of range'),
    ('confidence_threshold', 2, 'must be a number from 0 to 1, not 2'),
    ('confidence_threshold', 'half', "must be a number, not 'half'"),
    ('overlay_alpha', True, 'must be a number, not True'),
    ('overlay_alpha', [0.5], 'must be a number, not'),
    ('overlay_alpha', None, 'must be a number, not None'),
    ('max_rate', float('-inf'), 'out of range'),
    ('max_rate', 1001.0, 'out of range'),
    ('max_latency', float('nan'), 'out of range'),
    ('min_input_rate', -1, 'must be a number from 0 to 1000, not -1'),
    ('jpeg_quality', 0, 'out of range'),
    ('jpeg_quality', 50.0, 'must be a whole number, not 50.0'),
    ('precision', 'fp17', 'cannot change now'),
]


@pytest.fixture(scope='module')
def rig(start_rig, small_model):
    return start_rig('model:={}'.format(small_model), 'backend:=torch', 'confidence_treshold:=0.5')


@pytest.mark.parametrize('name, value, reason', WRONG)
def test_wrong_values_are_refused_with_a_reason(rig, name, value, reason):
    refused = rig.set(**{name: value})
    assert set(refused) == {name} and reason in refused[name] and name in refused[name]
    assert rig.process.is_running()


def test_good_values_are_taken_whole_numbers_too(rig):
    assert rig.set(overlay_alpha=1, confidence_threshold=0.25, max_rate=30, jpeg_quality=75, max_latency=0.5) == {}
    assert rig.set(overlay_alpha=0.5, confidence_threshold=0, max_rate=0.0, max_latency=0) == {}


def test_several_at_once_are_all_taken_or_none(rig):
    from rcl_interfaces.srv import GetParameters, SetParametersAtomically
    from rclpy.parameter import Parameter
    result = rig.call(SetParametersAtomically, 'set_parameters_atomically', SetParametersAtomically.Request(parameters=[
        Parameter('overlay_alpha', value=0.9).to_parameter_msg(),
        Parameter('overlay_alpha', value='x').to_parameter_msg()])).result
    assert not result.successful and "must be a number, not 'x'" in result.reason
    values = rig.call(GetParameters, 'get_parameters', GetParameters.Request(names=['overlay_alpha'])).values
    assert values[0].double_value == 0.5


def test_descriptions_and_ranges(rig):
    from rcl_interfaces.srv import DescribeParameters

    from espnet_ros.nodes.segmentation.settings import SEGMENTATION_RULES, SegmentationParameters
    names = list(SegmentationParameters._fields)
    found = rig.call(DescribeParameters, 'describe_parameters', DescribeParameters.Request(names=names)).descriptors
    assert [d.name for d in found] == names and {d.description for d in found} == {
        rule.description for rule in SEGMENTATION_RULES.values()}
    by_name = {d.name: d for d in found}
    limits = by_name['overlay_alpha'].floating_point_range[0]
    assert (limits.from_value, limits.to_value, limits.step) == (0.0, 1.0, 0.0)
    limits = by_name['jpeg_quality'].integer_range[0]
    assert (limits.from_value, limits.to_value) == (1, 100)
    assert by_name['backend'].additional_constraints == 'one of: auto, torch, openvino, onnxruntime, tensorrt'


def test_a_misspelt_name_at_start_is_told(rig):
    assert ('there is no parameter confidence_treshold, so it is ignored; did you mean confidence_threshold?'
            in rig.process.output)
    assert 'there is no parameter model' not in rig.process.output


def test_fixed_parameters_change_after_cleanup(rig):
    reason = 'parameter precision cannot change now; clean the node up first: ros2 lifecycle set {} '.format(rig.name)
    for label in ('deactivate', 'cleanup'):
        assert rig.set(precision='fp32')['precision'].startswith(reason)
        assert rig.set(precision='auto') == {}  # what it is
        assert rig.change_state(label)
    assert rig.set(precision='fp17') == {
        'precision': "parameter precision must be one of auto, fp32, bf16, fp16, int8, not 'fp17'"}
    assert rig.set(precision='fp32', input_width=128, input_height=96) == {}
    assert rig.change_state('configure') and rig.change_state('activate')
    wait_until(lambda: rig.values('Engine').get('network input') == '128x96')
    rig.wait_for_status('Engine', 'ready')
    assert rig.values('Engine')['precision'] == 'fp32'


@pytest.mark.parametrize('wrong, sentence, mended', [
    (['confidence_threshold:=.nan'], 'Parameter confidence_threshold out of range Min: 0.0, Max: 1.0, value: nan',
     {'confidence_threshold': 0.0}),
    (['overlay_alpha:=7.0', 'precision:=fp17'],
     "parameter precision must be one of auto, fp32, bf16, fp16, int8, not 'fp17'; Parameter overlay_alpha out of "
     'range Min: 0.0, Max: 1.0, value: 7.0',
     {'overlay_alpha': 0.5, 'precision': 'auto'}),
    (['jpeg_quality:=high'], "parameter jpeg_quality must be a whole number, not 'high'", {'jpeg_quality': 90}),
    (['input_width:=100'], 'input_width is 100; it must be a multiple of 8 from 64 to 4096', {'input_width': 0}),
])
def test_wrong_at_start_refuses_to_configure_until_mended(start_rig, small_model, wrong, sentence, mended):
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header
    rig = start_rig('model:={}'.format(small_model), 'backend:=torch', *wrong, wait='not started; fix the above')
    lines = [line for line in rig.process.output.splitlines() if 'cannot configure' in line]
    assert len(lines) == 1 and sentence in lines[0]
    assert rig.state() == 'unconfigured'
    assert sentence in rig.wait_for_status('Engine', 'not configured: ', level=2).message
    assert not rig.change_state('configure')
    assert rig.set(**mended) == {}
    assert rig.change_state('configure') and rig.change_state('activate')
    labels = rig.collect(Image, 'labels')
    rig.ask(array_to_image(picture(), 'bgr8', Header()), labels)
    wait_until(lambda: rig.status('Engine').message == 'ready')
    assert rig.status('Engine').level == b'\0'
    rig.close()

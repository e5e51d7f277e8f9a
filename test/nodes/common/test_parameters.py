"""Rules of parameters, without a node."""
import types
import typing

import pytest

pytest.importorskip('rclpy', reason='it needs ROS 2')

from espnet_ros.errors import ParameterError  # noqa: E402
from espnet_ros.nodes.common.parameters import ParameterSet, Rule  # noqa: E402
from espnet_ros.nodes.segmentation.settings import SEGMENTATION_RULES, SegmentationParameters  # noqa: E402


class StandIn:
    """What a ParameterSet uses of a node; nothing is given at start."""

    def add_on_set_parameters_callback(self, callback):
        self.set = lambda **values: callback([types.SimpleNamespace(name=n, value=v) for n, v in values.items()])

    def declare_parameter(self, name, default, descriptor, **_):
        assert self.set(**{name: default}).successful, name


def parameters(defaults=None, rules=SEGMENTATION_RULES):
    node = StandIn()
    found = ParameterSet(node, defaults or SegmentationParameters(), rules, lambda: False)
    return node, found


@pytest.mark.parametrize('device', ['auto', 'cpu', 'cuda', 'cuda:0', 'cuda:12'])
def test_devices(device):
    node, found = parameters()
    assert node.set(device=device).successful and found.value.device == device


@pytest.mark.parametrize('device', ['gpu', 'CUDA', '', 'cuda:', 'cuda:N', 'cuda:x', 'cuda:-1', 'cuda:0 ', 'cuda:0\n'])
def test_misspelt_devices_are_refused(device):
    node, found = parameters()
    result = node.set(device=device)
    assert not result.successful and found.value.device == 'auto'
    assert result.reason == 'parameter device must be one of auto, cpu, cuda, cuda:N, not {!r}'.format(device)


def test_a_wrong_value_raises_when_it_is_asked_for():
    class Settings(typing.NamedTuple):
        rate: float = 1.0
    node, found = parameters(Settings(), {'rate': Rule('Rate.', 0.0, 10.0)})
    found.problems['rate'] = 'parameter rate is odd'
    with pytest.raises(ParameterError, match='parameter rate is odd'):
        found.check_problems()
    assert node.set(rate=5).successful and found.value.rate == 5.0
    found.check_problems()


def test_values_that_contradict_each_other_are_refused():
    from espnet_ros.diagnostics.machine import check_limits
    from espnet_ros.nodes.diagnostics.node import RULES, DiagnosticsParameters
    node = StandIn()
    found = ParameterSet(node, DiagnosticsParameters(), RULES, check=check_limits)
    result = node.set(memory_error=50.0)
    assert not result.successful and result.reason.startswith('memory_error is 50, below memory_warn, 85')
    assert found.value.memory_error == 95.0
    assert node.set(memory_warn=40.0).successful and node.set(memory_error=50.0).successful


def test_values_at_start_that_contradict_each_other_are_told():
    from espnet_ros.diagnostics.machine import check_limits
    from espnet_ros.nodes.diagnostics.node import RULES, DiagnosticsParameters
    node = StandIn()
    found = ParameterSet(node, DiagnosticsParameters(memory_error=50.0), RULES, check=check_limits)
    with pytest.raises(ParameterError, match='memory_error is 50, below memory_warn, 85'):
        found.check_problems()
    assert node.set(memory_error=90.0).successful
    found.check_problems()

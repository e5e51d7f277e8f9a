"""ROS parameters to one immutable, checked value."""
import math
import typing

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException

from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.errors import ParameterError
from espnet_ros.segmenter import OUTPUT_SIZES


class Rule(typing.NamedTuple):
    """What a parameter means and may be.

    low, high: inclusive range of a number. choices: allowed strings. fixed: cannot change while the node is
    configured.
    """

    description: str
    low: typing.Optional[float] = None
    high: typing.Optional[float] = None
    choices: typing.Tuple[str, ...] = ()
    fixed: bool = False


class ParameterSet:
    """Declares the fields of a NamedTuple as a node's parameters and keeps the last valid values in `value`.

    A wrong value is refused with a sentence. At start there is nobody to refuse it to: it is replaced by the default
    and kept in `problems` (name to sentence) until the parameter is set to something valid.
    """

    def __init__(self, node, defaults, rules, is_configured=lambda: True):
        """Declare everything on `node`.

        defaults: a NamedTuple with str, bool, int and float fields. rules: field name to Rule. is_configured: tells
        whether fixed parameters are locked.
        """
        self.value = defaults
        self.problems = {}
        self._rules = rules
        self._kinds = {name: type(value) for name, value in defaults._asdict().items()}
        self._declared = False
        self._is_configured = is_configured
        node.add_on_set_parameters_callback(self._on_set)
        for name, default in defaults._asdict().items():
            descriptor = _descriptor(name, rules[name], self._kinds[name])
            try:
                node.declare_parameter(name, default, descriptor)
            except (InvalidParameterTypeException, InvalidParameterValueException) as error:
                self.problems[name] = getattr(error, 'reason', '') or str(error)
                node.declare_parameter(name, default, descriptor, ignore_override=True)
        self._declared = True

    def check_problems(self):
        """Raise ParameterError when a value given at start was wrong and has not been mended."""
        if self.problems:
            raise ParameterError('; '.join(self.problems.values()))

    def _on_set(self, parameters):
        changes = {}
        for parameter in parameters:
            if parameter.name not in self._rules:
                continue
            try:
                changes[parameter.name] = self._checked(parameter.name, parameter.value)
            except ParameterError as error:
                return SetParametersResult(successful=False, reason=str(error))
        self.value = self.value._replace(**changes)
        if self._declared:
            for name in changes:
                self.problems.pop(name, None)
        return SetParametersResult(successful=True)

    def _checked(self, name, value):
        rule, kind = self._rules[name], self._kinds[name]
        if rule.fixed and self._declared and self._is_configured() and value != getattr(self.value, name):
            raise ParameterError('parameter {} cannot change while the node is configured; clean the node up '
                                 'first (ros2 lifecycle set NODE deactivate, then cleanup)'.format(name))
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ParameterError('parameter {} must be {}, not {!r}'.format(name, _KIND_NAMES[kind], value))
        if kind in (int, float):
            if not math.isfinite(value) or not _within(value, rule):
                raise ParameterError('parameter {} must be a number {}, not {}'.format(name, _range_text(rule), value))
        if rule.choices and value not in rule.choices:
            raise ParameterError('parameter {} must be one of {}, not {!r}'.format(
                name, ', '.join(rule.choices), value))
        return value


_KIND_NAMES = {str: 'a string', bool: 'true or false', int: 'a whole number', float: 'a number'}


def _within(value, rule):
    return (rule.low is None or value >= rule.low) and (rule.high is None or value <= rule.high)


def _range_text(rule):
    low = '' if rule.low is None else 'from {:g} '.format(rule.low)
    return low + ('up' if rule.high is None else 'to {:g}'.format(rule.high))


def _descriptor(name, rule, kind):
    descriptor = ParameterDescriptor(name=name, description=rule.description)
    if rule.choices:
        descriptor.additional_constraints = 'one of: ' + ', '.join(rule.choices)
    # A whole number is a fine value for a real one (`max_rate: 10`): types are checked in _checked, with a sentence.
    if hasattr(descriptor, 'dynamic_typing'):
        descriptor.dynamic_typing = True
    if rule.low is not None and rule.high is not None:
        if kind is int:
            descriptor.integer_range = [IntegerRange(from_value=int(rule.low), to_value=int(rule.high), step=0)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(rule.low), to_value=float(rule.high), step=0.0)]
    return descriptor


class SegmentationParameters(typing.NamedTuple):
    """Settings of the segmentation node; the defaults stand here alone."""

    model: str = 'camvid-espnet-q8'
    backend: str = 'auto'
    device: str = 'auto'
    precision: str = 'auto'
    engine_cache_dir: str = ''
    input_width: int = 0
    input_height: int = 0
    output_size: str = 'camera'
    image_transport: str = 'raw'
    image_reliability: str = 'best_effort'
    autostart: bool = True
    overlay_alpha: float = 0.5
    confidence_threshold: float = 0.0
    max_rate: float = 0.0
    min_input_rate: float = 0.0
    max_latency: float = 0.0
    jpeg_quality: int = 90


SEGMENTATION_RULES = {
    'model': Rule('Model name, model card (.yaml) or weights file (.pth).', fixed=True),
    'backend': Rule('What executes the network; auto picks the best that works here.', choices=BACKENDS, fixed=True),
    'device': Rule('Where it runs: auto, cpu, cuda or cuda:N.', fixed=True),
    'precision': Rule('Number format of the network; auto is fp32 on a CPU and fp16 on a GPU.', choices=PRECISIONS,
                      fixed=True),
    'engine_cache_dir': Rule('Folder for built engines; empty is the user\'s cache folder.', fixed=True),
    'input_width': Rule('Network input width in pixels, a multiple of 8; 0 is the model\'s own.', 0, 4096, fixed=True),
    'input_height': Rule('Network input height in pixels, a multiple of 8; 0 is the model\'s own.', 0, 4096,
                         fixed=True),
    'output_size': Rule('Resolution of all outputs: the camera\'s or the network\'s.', choices=OUTPUT_SIZES,
                        fixed=True),
    'image_transport': Rule('raw reads `image`, compressed reads `image/compressed`.', choices=('raw', 'compressed'),
                            fixed=True),
    'image_reliability': Rule('Reliability asked of the camera; best_effort matches every camera.',
                              choices=('best_effort', 'reliable'), fixed=True),
    'autostart': Rule('Configure and activate at start; false leaves that to a lifecycle manager.', fixed=True),
    'overlay_alpha': Rule('Weight of the colours in the overlay: 0 shows the image alone, 1 the colours.', 0, 1),
    'confidence_threshold': Rule('Pixels with a confidence below this become unlabelled (255).', 0, 1),
    'max_rate': Rule('Highest output rate in Hz; 0 is as fast as it goes.', 0, 1000),
    'min_input_rate': Rule('Diagnostics warns when images come slower than this, in Hz; 0 never warns.', 0, 1000),
    'max_latency': Rule('Diagnostics warns when the 95th percentile from stamp to output exceeds this, in s; 0 never.',
                        0, 60),
    'jpeg_quality': Rule('Quality of the compressed overlay.', 1, 100),
}

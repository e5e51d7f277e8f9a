"""Declares ROS parameters and keeps their checked values in one immutable tuple."""
import difflib
import math
import re
import typing

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException

from espnet_ros.errors import ParameterError


class Rule(typing.NamedTuple):
    """Description and limits of a parameter.

    low, high: inclusive range of a number, or of each number in an array. choices: allowed strings; N at the end of
    one, as in cuda:N, is any index. fixed: cannot change while the node is configured. items: type of an array's items.
    """

    description: str
    low: typing.Optional[float] = None
    high: typing.Optional[float] = None
    choices: typing.Tuple[str, ...] = ()
    fixed: bool = False
    items: typing.Optional[type] = None


class ParameterSet:
    """Declares the fields of a NamedTuple as a node's parameters and keeps the last valid values in `value`.

    An invalid value is refused with a reason. At start there is no caller to refuse it to: the default takes its place
    and the reason is kept in `problems` (name to sentence) until the parameter is set to a valid value.
    """

    def __init__(self, node, defaults, rules, is_configured=lambda: True, unlock='start the node again with it',
                 check=lambda values: None):
        """Declare everything on `node`.

        defaults: a NamedTuple with str, bool, int and float fields, or tuples (arrays) of these. rules: field name to
        Rule. is_configured: tells whether fixed parameters are locked. unlock: what a user does to change them.
        check: called with all values together; raises ParameterError when they contradict each other.
        """
        self.value = defaults
        self.problems = {}
        self._rules = rules
        self._kinds = {name: type(value) for name, value in defaults._asdict().items()}
        self._declared = False
        self._reason = ''
        self._is_configured = is_configured
        self._unlock = unlock
        self._check = check
        node.add_on_set_parameters_callback(self._on_set)
        for name, default in defaults._asdict().items():
            default = list(default) if self._kinds[name] is tuple else default
            descriptor = _descriptor(name, rules[name], self._kinds[name])
            self._reason = ''
            try:
                node.declare_parameter(name, default, descriptor)
            except ParameterException as error:
                # rclpy checks ranges itself, and packs the reason between other words.
                self.problems[name] = self._reason or str(error).split('Reason: ')[-1].split(': ' + name)[0]
                node.declare_parameter(name, default, descriptor, ignore_override=True)
        self._declared = True
        try:
            check(self.value)
        except ParameterError as error:
            self.problems['values'] = str(error)
        self._warn_of_unknown(node)

    def check_problems(self):
        """Raise ParameterError when a value given at start was invalid and has not been corrected."""
        if self.problems:
            raise ParameterError('; '.join(self.problems.values()))

    def _warn_of_unknown(self, node):
        """Warn of names given at start that are no parameters: rclpy ignores them silently, and the default stays."""
        # Private, but the same from Foxy to Kilted; there is no public way.
        for name in getattr(node, '_parameter_overrides', {}):
            if not node.has_parameter(name) and not name.startswith('qos_overrides.'):
                near = difflib.get_close_matches(name, self._rules, 1)
                node.get_logger().warning('there is no parameter {}, so it is ignored{}'.format(
                    name, '; did you mean {}?'.format(near[0]) if near else ''))

    def _on_set(self, parameters):
        changes = {}
        for parameter in parameters:
            if parameter.name not in self._rules:
                continue
            try:
                changes[parameter.name] = self._checked(parameter.name, parameter.value)
            except ParameterError as error:
                self._reason = str(error)
                return SetParametersResult(successful=False, reason=self._reason)
        value = self.value._replace(**changes)
        if self._declared:
            try:
                self._check(value)
            except ParameterError as error:
                return SetParametersResult(successful=False, reason=str(error))
            for name in list(changes) + ['values']:
                self.problems.pop(name, None)
        self.value = value
        return SetParametersResult(successful=True)

    def _checked(self, name, value):
        rule, kind = self._rules[name], self._kinds[name]
        value = self._checked_array(name, value) if kind is tuple else value
        if rule.fixed and self._declared and self._is_configured() and value != getattr(self.value, name):
            raise ParameterError('parameter {} cannot change now; {}'.format(name, self._unlock))
        return value if kind is tuple else self._checked_one(name, value, kind)

    def _checked_array(self, name, value):
        # An empty array has no type: in a file or on the command line it arrives as None.
        value = [] if value is None else value
        if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
            raise ParameterError('parameter {} must be an array, as in [a, b], not {!r}'.format(name, value))
        return tuple(self._checked_one(name, item, self._rules[name].items) for item in value)

    def _checked_one(self, name, value, kind):
        rule = self._rules[name]
        if type(value) is int and kind in (float, str):  # `rate: 10` and `source: 0` are plain YAML for these
            value = kind(value)
        if type(value) is not kind:
            raise ParameterError('parameter {} must be {}, not {!r}'.format(name, _KIND_NAMES[kind], value))
        if kind in (int, float):
            if not math.isfinite(value) or not _within(value, rule):
                raise ParameterError('parameter {} must be a number {}, not {}'.format(name, _range_text(rule), value))
        if rule.choices and (value.endswith(':N') or re.sub(r':[0-9]{1,3}\Z', ':N', value) not in rule.choices):
            raise ParameterError('parameter {} must be one of {}, not {!r}'.format(
                name, ', '.join(rule.choices), value))
        return value


def constraint_text(rule):
    """Return a rule's choices or range in words, '' without any."""
    if rule.choices:
        return 'One of: {}.'.format(', '.join(rule.choices))
    return '' if rule.low is None and rule.high is None else 'Range: {}.'.format(_range_text(rule))


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
    if kind is not tuple and rule.low is not None and rule.high is not None:
        if kind is int:
            descriptor.integer_range = [IntegerRange(from_value=int(rule.low), to_value=int(rule.high), step=0)]
        else:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(rule.low), to_value=float(rule.high), step=0.0)]
    return descriptor

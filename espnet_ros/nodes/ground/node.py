"""The ground node: labels in, scan, grid, clouds and free space out."""
import math
import os
import socket
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from rclpy.clock import Clock, ClockType
from rclpy.qos import QoSProfile, ReliabilityPolicy

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # not on PyPI
    TFMessage = None

from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import ERROR, WARN, LevelLog, Problem, compose
from espnet_ros.models.catalog import config_directory
from espnet_ros.nodes.common.diagnostic_messages import log_levels, statuses_to_message
from espnet_ros.nodes.common.lifecycle import SelfStartingNode, transition
from espnet_ros.nodes.common.parameters import ParameterSet
from espnet_ros.nodes.ground.frames import Poses
from espnet_ros.nodes.ground.inputs import LATCHED_QOS
from espnet_ros.nodes.ground.processing import OUTPUTS, Processing
from espnet_ros.nodes.ground.settings import GROUND_RULES, GroundParameters

# Reliable matches reliable and best-effort subscribers; depth 1, because an old scan is worth nothing.
OUTPUT_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
SILENCE = 5.0
"""An active node with subscribers and without labels for this many seconds is in error."""
_LOOK = 0.25
"""Seconds between looks at who subscribes."""


class GroundNode(SelfStartingNode):
    """Wires parameters, lifecycle, processing and diagnostics together.

    Configured: outputs are advertised. Active: it listens to what its subscribers need.
    """

    def __init__(self, **options):
        super().__init__('ground', **options)
        self._processing = None
        self._poses = None
        self._outputs = {}
        self._foot = None
        self._active = False
        self._since = 0.0
        self._due = 0.0
        self._level_log = LevelLog()
        self._settings = ParameterSet(self, GroundParameters(), GROUND_RULES, lambda: self.is_configured,
                                      self.unlock.replace('NODE', self.get_fully_qualified_name()))
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(_LOOK, self._on_look, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if self._settings.value.autostart or not self.is_managed:
            self.start_soon()

    @transition
    def on_configure(self, _state):
        """Read the traversability file, advertise the outputs."""
        self._settings.check_problems()
        settings = self._settings.value
        path = settings.traversability or os.path.join(config_directory(), 'traversability.yaml')
        self._poses = self._poses or Poses(self, settings)
        try:
            self._outputs = {name: self.create_publisher(kind, '~/' + name, OUTPUT_QOS)
                                for name, kind in OUTPUTS.items()}
            self._processing = Processing(self, lambda: self._settings.value, self._poses, self._outputs, path,
                                          self._tell_foot if self._poses.source == 'TF' else None)
        except Exception:
            self.release()
            raise

    @transition
    def on_activate(self, _state):
        """Start to listen."""
        self._processing.open()
        self._active, self._since = True, time.monotonic()
        if self._poses.source == 'parameters':
            now = self.get_clock().now().to_msg()
            self._tell_foot(self._poses.camera('', now), now)

    @transition
    def on_deactivate(self, _state):
        """Stop listening."""
        self._active = False
        self._processing.close()

    @property
    def is_configured(self):
        """Return whether outputs are advertised."""
        return self._processing is not None

    def release(self):
        """Stop and release everything that on_configure acquired."""
        self._active = False
        if self._processing is not None:
            self._processing.close()
        for publisher in list(self._outputs.values()) + ([self._foot] if self._foot else []):
            self.destroy_publisher(publisher)
        self._processing, self._poses, self._outputs, self._foot = None, None, {}, None

    def _tell_foot(self, pose, stamp):
        """Publish the scan's frame, where tf2_msgs is installed: once with a fixed pose, with each one of TF."""
        settings = self._settings.value
        x, y, yaw = float(pose.position[0]), float(pose.position[1]), pose.yaw
        if TFMessage is None:
            self.get_logger().info(
                'tf2_msgs is not installed, so the frame of the scan is not published; do it with: ros2 run tf2_ros '
                'static_transform_publisher --x {:g} --y {:g} --yaw {:g} --frame-id {} --child-frame-id {}'.format(
                    x, y, yaw, settings.base_frame, settings.scan_frame))
            return
        transform = TransformStamped(child_frame_id=settings.scan_frame)
        transform.header.frame_id, transform.header.stamp = settings.base_frame, stamp
        transform.transform.translation.x, transform.transform.translation.y = x, y
        transform.transform.rotation.z, transform.transform.rotation.w = math.sin(yaw / 2), math.cos(yaw / 2)
        if self._foot is None:
            self._foot = self.create_publisher(TFMessage, *(
                ('/tf', 100) if self._poses.source == 'TF' else ('/tf_static', LATCHED_QOS)))
        self._foot.publish(TFMessage(transforms=[transform]))

    def _on_look(self):
        now = time.monotonic()
        if self._active:
            self._processing.adapt()
        if now < self._due:
            return
        self._due = now + 1.0 - _LOOK / 2  # the timer is not exact
        prefix = self.get_fully_qualified_name().lstrip('/') + ': '
        statuses = self._statuses(self.get_fully_qualified_name(), now)
        self._diagnostics.publish(statuses_to_message(
            statuses, self.get_clock().now().to_msg(), socket.gethostname()))
        log_levels(self, self._level_log.update(statuses, now), prefix)

    def _statuses(self, name, now):
        settings = self._settings.value
        if self._processing is None:
            problem = self.problem or '; '.join(self._settings.problems.values())
            return [compose(keys.status_name(name, keys.INPUT), [Problem(ERROR, problem)] if problem else [],
                            'not configured', ())]
        processing = self._processing
        source = processing.labels_input
        problems = []
        fine = 'not active'
        if self._active:
            fine = 'idle: nobody subscribes' if source is None else 'running'
            if source is not None and not source.received and now - self._since > SILENCE:
                problems.append(Problem(ERROR, 'no labels on {}: {}'.format(
                    source.topic, 'nothing publishes them; start the segmentation node or remap `labels`'
                    if not source.publishers else 'their publisher is silent; look at its diagnostics')))
            problems += [Problem(ERROR if part == 'labels' else WARN, text)
                         for part, text in processing.problems.items()]
        values = (('labels', source.topic if source else 'not subscribed'), ('camera pose', self._poses.source),
                  ('base frame', settings.base_frame), ('trusted range (m)', '{:.1f}'.format(processing.reach)),
                  ('published', processing.processed))
        return [compose(keys.status_name(name, keys.INPUT), problems, fine, values)]

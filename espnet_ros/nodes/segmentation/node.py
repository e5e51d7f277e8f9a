"""The segmentation node: images in, labels, masks, confidence and overlays out."""
import socket
import time
import typing

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import SetBool

from espnet_ros import models
from espnet_ros.diagnostics import keys
from espnet_ros.diagnostics.status import (
    EngineState,
    LevelLog,
    engine_status,
    input_status,
    latency_status,
    output_status,
)
from espnet_ros.engine import build_engine
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.nodes.common.bond import start_bond
from espnet_ros.nodes.common.diagnostic_messages import log_levels, statuses_to_message
from espnet_ros.nodes.common.lifecycle import SelfStartingNode, transition
from espnet_ros.nodes.common.parameters import ParameterSet
from espnet_ros.nodes.common.plots import latency_message
from espnet_ros.nodes.segmentation.image_input import ImageInput
from espnet_ros.nodes.segmentation.outputs import Outputs
from espnet_ros.nodes.segmentation.settings import SEGMENTATION_RULES, SegmentationParameters, check_cameras
from espnet_ros.nodes.segmentation.stream import Stream
from espnet_ros.nodes.segmentation.worker import Worker
from espnet_ros.segmenter import Segmenter, input_size

PERIOD = 1.0
"""Seconds between diagnostics."""


class SegmentationNode(SelfStartingNode):
    """Wires parameters, lifecycle, input, worker, outputs and diagnostics together.

    Configured: the model is loaded, outputs are advertised and the worker builds the engine. Active: it subscribes and
    publishes. Topics: docs/reference/topics.md; parameters: config/segment.yaml.
    """

    def __init__(self, **options):
        super().__init__('espnet', **options)
        self._worker = None
        self._streams = []
        self._bond = None
        self._model_values: typing.Tuple[typing.Tuple[str, str], ...] = ()
        self._announced = None  # the confidence threshold in ~/label_map
        self._announced_at = 0.0
        self._level_log = LevelLog()
        self._latencies = []  # a publisher for each stream
        self._enabled = True
        self._settings = ParameterSet(self, SegmentationParameters(), SEGMENTATION_RULES,
                                     lambda: self.is_configured,
                                     self.unlock.replace('NODE', self.get_fully_qualified_name()), check_cameras)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_service(SetBool, '~/enable', self._on_enable)
        # On the steady clock: diagnostics go on while a simulation is paused.
        self.create_timer(PERIOD, self._on_period, clock=Clock(clock_type=ClockType.STEADY_TIME))
        if self._settings.value.autostart or not self.is_managed:
            self.start_soon()

    @transition
    def on_configure(self, _state):
        """Load the model, advertise the outputs, start building the engine."""
        settings = self._settings.value
        self._settings.check_problems()
        model = models.find(settings.model)
        network = models.load(model)
        width, height = input_size(model.card, settings.input_width, settings.input_height)
        card = model.card

        def build(progress):
            engine = build_engine(card, network, width, height, settings.backend, settings.device, settings.precision,
                                  settings.engine_cache_dir, progress, concurrency=len(self._streams))
            return Segmenter(engine, settings.output_size, width=settings.output_width,
                             height=settings.output_height)
        self._open_streams(settings, PALETTES[settings.palette](card.label_set))
        self._worker = Worker(self, build, self._streams, lambda: self._settings.value)
        self._worker.enabled = self._enabled
        self._worker.start()
        self._model_values = (
            (keys.MODEL, card.name), (keys.WEIGHTS, card.sha256), ('label set', card.label_set.name),
            (keys.NETWORK_INPUT, '{}x{}'.format(width, height)), ('output size', '{} {}x{}'.format(
                settings.output_size, settings.output_width, settings.output_height)
             if settings.output_width or settings.output_height else settings.output_size))
        self.get_logger().info('model {}: {} classes of {}, network input {}x{}'.format(
            card.name, len(card.label_set.classes), card.label_set.name, width, height))
        if card.label_set.without_category:
            self.get_logger().warning('no Cityscapes category for {}: they are void in ~/categories; give them a '
                                      'category in the model card'.format(', '.join(card.label_set.without_category)))

    def _open_streams(self, settings, label_set):
        """Advertise the outputs of each camera, of one without a name where none are given."""
        for number, camera in enumerate(settings.cameras or ('',)):
            topics = (camera + '/image_raw', camera + '/camera_info') if camera else ()
            self._latencies.append(self.create_publisher(
                Float64MultiArray, '/'.join(filter(None, ['~', camera, 'latency'])), 1))
            self._streams.append(Stream(
                ImageInput(self, settings.image_transport, settings.image_reliability, *topics),
                Outputs(self, label_set, camera), camera, *(
                    values[number] if values else default for values, default in (
                        (settings.camera_priorities, 1), (settings.camera_rates, 0.0)))))

    @transition
    def on_activate(self, _state):
        """Publish the label map and subscribe."""
        self._announce()
        for stream in self._streams:
            stream.input.open()
        self._worker.activate()
        self._bond = start_bond(self)
        settings = self._settings.value
        self.get_logger().info('active: {} images from {} (reliability {}), outputs on {}'.format(
            settings.image_transport, ', '.join(stream.input.topic for stream in self._streams),
            settings.image_reliability, ', '.join(self._owner(stream) + '/...' for stream in self._streams)))

    @transition
    def on_deactivate(self, _state):
        """Unsubscribe; model and engine stay."""
        self._worker.deactivate()
        for stream in self._streams:
            stream.input.close()
        self._end_bond()

    def _end_bond(self):
        bond, self._bond = self._bond, None
        if bond is not None:
            bond.shutdown()

    @property
    def is_configured(self):
        """Return whether there is a model."""
        return self._worker is not None

    def release(self):
        """Stop and release everything that on_configure acquired."""
        self._end_bond()
        worker, self._worker = self._worker, None
        for stream in self._streams:
            stream.input.close()
        if worker is not None:
            worker.stop()
        for stream in self._streams:
            stream.outputs.close()
        for publisher in self._latencies:
            self.destroy_publisher(publisher)
        self._streams, self._latencies, self._announced = [], [], None
        self._model_values = ()
        self._level_log = LevelLog()

    def _on_enable(self, request, response):
        self._enabled = request.data
        if self._worker is not None:
            self._worker.enabled = self._enabled
        response.success = True
        response.message = 'segmentation is {}'.format('on' if self._enabled else 'off')
        return response

    def _announce(self):
        self._announced = self._settings.value.confidence_threshold
        self._announced_at = time.monotonic()
        for stream in self._streams:
            stream.outputs.announce(self._announced)

    def _on_period(self):
        settings = self._settings.value
        for stream in self._streams:
            stream.input.adapt()
        if self._worker is not None and self._worker.active and (
                self._announced != settings.confidence_threshold
                or 0 < settings.label_info_period <= time.monotonic() - self._announced_at + PERIOD / 2):
            self._announce()
        # With the namespace, so that nodes of one name are told apart.
        prefix = self.get_fully_qualified_name().lstrip('/') + ': '
        statuses = self._statuses(prefix, settings)
        self._diagnostics.publish(statuses_to_message(
            statuses, self.get_clock().now().to_msg(), socket.gethostname()))
        log_levels(self, self._level_log.update(statuses, time.monotonic()), prefix)
        for stream, publisher in zip(self._streams, self._latencies):
            publisher.publish(latency_message(stream.times.percentiles()))

    def _statuses(self, prefix, settings):
        if self._worker is None:
            problem = self.problem or '; '.join(self._settings.problems.values())
            return [engine_status(prefix + keys.ENGINE, EngineState(keys.UNCONFIGURED, problem=problem))]
        engine = self._worker.engine_state()
        statuses = [engine_status(prefix + keys.ENGINE, engine._replace(values=self._model_values + engine.values))]
        active, now = self._worker.active, self.get_clock().now().nanoseconds * 1e-9
        for stream in self._streams:
            name, times = self._owner(stream), stream.times.percentiles()
            statuses += [
                input_status(keys.status_name(name, keys.INPUT), stream.input.state(active), settings.min_input_rate),
                latency_status(keys.status_name(name, keys.LATENCY), times, settings.max_latency),
                output_status(keys.status_name(name, keys.OUTPUT),
                              stream.output_state(active, self._worker.enabled, now))]
        return statuses

    def _owner(self, stream):
        """Return what the names of a stream's outputs and diagnostics begin with."""
        return '/'.join(filter(None, [self.get_fully_qualified_name(), stream.camera]))

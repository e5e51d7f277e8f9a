"""A small model, and a running segmentation node with everything to ask it from outside."""
import itertools
import os
import pathlib
import time

import cv2
import numpy as np
import pytest
import torch
from ros_process import NodeProcess, Observer, wait_until

from espnet_ros.diagnostics import keys
from espnet_ros.labels import CAMVID, UNLABELED
from espnet_ros.models.card import ModelCard, write_card
from espnet_ros.models.checkpoint import sha256_of, write_weights
from espnet_ros.network import NetworkConfig, build

MODULE, QUICK = 'espnet_ros.nodes.segmentation.__main__', 'quick_segmentation'
FP32 = 'backend:=torch', 'device:=cpu', 'precision:=fp32'
"""Parameters of an engine that is built at once and gives the same labels everywhere."""
_NUMBERS = itertools.count(1)


def write_model(folder, label_set=CAMVID, alpha3=1, width=160, height=120):
    """Write a card and seeded random weights, which see every class and the background, and return the card's path."""
    torch.manual_seed(7)
    ids = label_set.ids + (UNLABELED,)
    config = NetworkConfig(classes=len(ids), alpha3=alpha3)
    network = build(config).eval()
    with torch.no_grad():
        network.up1.weight.mul_(30.0)  # so that confidences spread
    write_weights(network, folder / 'small.pth')
    card = ModelCard('small', 'for tests', config, label_set, ids, width, height, (100.0, 110.0, 120.0),
                     (60.0, 70.0, 80.0), 1.0, 'MIT', '', {}, {}, 'small.pth', sha256_of(folder / 'small.pth'))
    write_card(card, folder / 'small.yaml')
    return folder / 'small.yaml'


def picture(width=160, height=120, seed=0):
    """BGR uint8 [H, W, 3] with large and small structures."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.integers(0, 256, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(coarse, random.integers(0, 40, (height, width, 3), np.uint8))


class Rig:
    """One segmentation node as a process, a camera for it, and its diagnostics, parameters and lifecycle services.

    parameters: as on the command line, name:=value. remap: likewise. program: module with a main(), in place of the
    node's. wait: text to wait for in the log, or None.
    """

    def __init__(self, domain, context, namespace, *parameters, remap=(), program=MODULE, wait='engine ready'):
        from diagnostic_msgs.msg import DiagnosticArray
        self.namespace = namespace
        self.name = namespace + '/espnet'
        self.observer = Observer(context)
        self.node = self.observer.node
        self._arrays = []
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._arrays.append, 50)
        self._clients = {}
        self._publishers = {}
        self._changed = {}
        self._mark = 0
        words = ['--ros-args', '-r', '__ns:=' + namespace]
        for flag, settings in (('-p', parameters), ('-r', remap)):
            words += [word for setting in settings for word in (flag, setting)]
        self._wait = wait

        def start():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv('PYTHONPATH', str(pathlib.Path(__file__).parent), prepend=os.pathsep)
                return NodeProcess(program, words, domain)
        self._start = start
        self.process = self._start()
        if wait:
            self.process.wait_for(wait)

    def close(self):
        self.process.end()
        if self.observer:
            self.observer.close()
            self.observer = None

    def respawn(self):
        """Start the process again after its end, with the parameters of its first start."""
        self._mark = 0
        self.process = self._start()
        self.process.wait_for(self._wait)

    def restart(self, **parameters):
        """Clean the node up and start it again with these parameters in place of those of the last restart.

        What a test has published and subscribed to goes first; `log` begins afresh. A process takes seconds to start.
        """
        self.observer.forget()
        for publisher in list(self.node.publishers):
            if not publisher.topic_name.endswith(('/rosout', '/parameter_events')):
                self.node.destroy_publisher(publisher)
        self._publishers.clear()
        for label in {'active': ('deactivate', 'cleanup'), 'inactive': ('cleanup',)}.get(self.state(), ()):
            assert self.change_state(label), self.process.output
        assert self.set(**self._changed) == {}
        if parameters:
            self._changed = self._values_of(parameters)
        assert self.set(**parameters) == {}
        del self._arrays[:]
        self._mark = len(self.process.output)
        assert self.change_state('configure') and self.change_state('activate'), self.process.output
        wait_until(lambda: 'engine ready' in self.log)

    def _values_of(self, names):
        from rcl_interfaces.srv import GetParameters
        from rclpy.parameter import parameter_value_to_python
        values = self.call(GetParameters, 'get_parameters', GetParameters.Request(names=list(names))).values
        return {name: parameter_value_to_python(value) for name, value in zip(names, values)}

    # What it says

    @property
    def log(self):
        """The process's output since the last restart."""
        return self.process.output[self._mark:]

    def status(self, what):
        """The newest DiagnosticStatus 'espnet: what', or None."""
        wanted = '{}: {}'.format(self.name.lstrip('/'), what)
        for array in reversed(self._arrays):
            for status in array.status:
                if status.name == wanted:
                    return status
        return None

    def wait_for_status(self, what, text, level=None, seconds=120.0):
        """Wait until the status's message holds `text` (and its level is `level`), and return it."""
        found = []

        def is_there():
            found[:] = [self.status(what)]
            return found[0] and text in found[0].message and level in (None, found[0].level[0])
        try:
            wait_until(is_there, seconds)
        except AssertionError:
            pytest.fail('no {!r} in {} but {}\n{}'.format(text, what, found[0], self.process.output))
        return found[0]

    def values(self, what):
        """The newest status's values as a dict; the first one is waited for."""
        return {pair.key: pair.value for pair in wait_until(lambda: self.status(what)).values}

    def fresh(self, what):
        """The values of the second status published from now on: the first may have been on its way."""
        count = len(self._arrays)
        wait_until(lambda: len(self._arrays) >= count + 2 and self.status(what))
        return self.values(what)

    def counts(self):
        """Input's and Output's counters as integers, of a fresh and common message."""
        self.fresh('Output')
        values = {**self.values('Input'), **self.values('Output')}
        return {name: int(values[name]) for name in keys.COUNTERS if values[name] != keys.UNKNOWN}

    def settled_counts(self):
        """The counters once every image received is accounted for, which is asserted to happen."""
        def settled():
            counts = self.counts()
            return counts['received'] == sum(
                counts[name] for name in ('dropped', 'refused', 'published', 'failed', 'skipped')) and counts
        return wait_until(settled)

    # What it is told

    def call(self, kind, service, request):
        """Call the node's service and return the response."""
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(kind, '{}/{}'.format(self.name, service))
            self._meet()
        wait_until(client.service_is_ready)
        future = client.call_async(request)
        wait_until(future.done)
        return future.result()

    def _meet(self):
        """Wait until the node knows all clients made so far: the answer to one that it does not know yet is lost.

        A node meets clients in the order in which they were made: once it answers a new one, it knows them all.
        """
        from lifecycle_msgs.srv import GetState
        client = self.node.create_client(GetState, self.name + '/get_state')

        def answers():
            future = client.call_async(GetState.Request())
            end = time.monotonic() + 2.0
            while time.monotonic() < end and not future.done():
                time.sleep(0.01)
            return future.done()
        wait_until(client.service_is_ready)
        wait_until(answers)
        self.node.destroy_client(client)

    def set(self, **parameters):
        """Set parameters one by one; return the refusals: name to reason."""
        from rcl_interfaces.srv import SetParameters
        from rclpy.parameter import Parameter
        answer = self.call(SetParameters, 'set_parameters', SetParameters.Request(
            parameters=[Parameter(name, value=value).to_parameter_msg() for name, value in parameters.items()]))
        return {name: result.reason for name, result in zip(parameters, answer.results) if not result.successful}

    def change_state(self, label):
        """Request a transition by its label; return whether it succeeded."""
        from lifecycle_msgs.msg import Transition
        from lifecycle_msgs.srv import ChangeState
        return self.call(ChangeState, 'change_state', ChangeState.Request(transition=Transition(label=label))).success

    def state(self):
        from lifecycle_msgs.srv import GetState
        return self.call(GetState, 'get_state', GetState.Request()).current_state.label

    def enable(self, on):
        from std_srvs.srv import SetBool
        return self.call(SetBool, 'enable', SetBool.Request(data=on)).message

    # What it sees

    def collect(self, kind, output, qos=50):
        """Subscribe to one of the node's topics; return the growing list of messages, once both have met."""
        topic = '{}/{}'.format(self.name, output)
        messages = self.observer.collect(kind, topic, qos)
        wait_until(lambda: self.node.count_publishers(topic) > 0)
        return messages

    def camera(self, kind, topic='image', qos=1):
        """A publisher that the node listens to, made on the first call for the topic."""
        publisher = self._publishers.get(topic)
        if publisher is None:
            publisher = self._publishers[topic] = self.node.create_publisher(
                kind, topic if topic.startswith('/') else '{}/{}'.format(self.namespace, topic), qos)
            wait_until(publisher.get_subscription_count)
            if kind.__name__ != 'CameraInfo':
                wait_until(lambda: self.fresh('Input')['publishers'] != '0')
        return publisher

    def show(self, message, topic='image'):
        """Publish an image message with the time of now; return the header."""
        message.header.stamp = self.node.get_clock().now().to_msg()
        message.header.frame_id = 'camera'
        self.camera(type(message), topic).publish(message)
        return message.header

    def ask(self, message, messages, topic='image'):
        """Show an image until one of `messages` answers it, because an image may get lost; return that answer."""
        sent = []
        deadline = time.monotonic() + 120.0
        while time.monotonic() < deadline:
            header = self.show(message, topic)
            sent.append((header.stamp.sec, header.stamp.nanosec))
            end = time.monotonic() + 2.0
            while time.monotonic() < end:
                for answer in list(messages):
                    if (answer.header.stamp.sec, answer.header.stamp.nanosec) in sent:
                        return answer
                time.sleep(0.01)
        pytest.fail('no answer\n' + self.process.output)


def pixels_of(message):
    """An Image message's pixels, uint8 [H, W] or [H, W, 3], after checking that its rows are packed."""
    channels = {'mono8': 1, 'rgb8': 3}[message.encoding]
    assert message.step == message.width * channels and message.is_bigendian == 0
    shape = (message.height, message.width, channels)[:2 if channels == 1 else 3]
    return np.frombuffer(message.data, np.uint8).reshape(shape)


@pytest.fixture(scope='session')
def small_model(tmp_path_factory):
    """Path of the card of a model that takes a millisecond or two."""
    return write_model(tmp_path_factory.mktemp('model'))


@pytest.fixture(scope='module')
def shared_rig(start_rig, small_model):
    """A Rig that the tests of a module share; they get it from `restart`."""
    return start_rig('model:={}'.format(small_model), *FP32)


@pytest.fixture
def restart(shared_rig):
    """Function restart(**parameters) -> the module's Rig, as good as new, with these parameters."""
    def restart(**parameters):
        shared_rig.restart(**parameters)
        return shared_rig
    return restart


@pytest.fixture(scope='module')
def start_rig(ros_domain, ros_context):
    """Function start_rig(*parameters, remap=, program=QUICK, wait=) -> Rig in its own namespace.

    All end with the module.
    """
    rigs = []

    def start(*parameters, **options):
        rigs.append(Rig(ros_domain, ros_context, '/rig{}'.format(next(_NUMBERS)), *parameters,
                        **dict({'program': QUICK}, **options)))
        return rigs[-1]

    yield start
    for rig in rigs:
        rig.close()

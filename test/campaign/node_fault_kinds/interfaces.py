"""Faults of a node's subscribers, parameters, services and transitions."""
import os
import signal
import time

from node_fault_kinds.faults import Faults
from node_fault_kinds.images import raw

FAULTS = Faults()
fault = FAULTS.define


# Subscribers

@fault('a subscriber that never reads')
def deaf(bench, rng):
    spare = bench.taken_spare()
    os.kill(spare.pid, signal.SIGSTOP)
    for _ in range(20):
        bench.answered()
    yield None
    os.kill(spare.pid, signal.SIGCONT)


@fault('a subscriber that is killed')
def killed_subscriber(bench, rng):
    bench.taken_spare()
    bench.release_spare()
    yield None


@fault('a subscriber of another quality of service')
def other_quality(bench, rng):
    from rclpy.qos import DurabilityPolicy, QoSProfile
    subscription = bench.rig.node.create_subscription(
        bench._image, bench.rig.name + '/labels', print,
        QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL))
    yield lambda: 'requests a quality of service that is not offered' in bench.rig.process.output
    bench.rig.node.destroy_subscription(subscription)


@fault('large outputs for a best-effort subscriber')
def best_effort(bench, rng):
    from rclpy.qos import qos_profile_sensor_data
    subscription = bench.rig.node.create_subscription(
        bench._image, bench.rig.name + '/color', lambda message: None, qos_profile_sensor_data)

    def is_told():
        bench.show(raw(640, 480))
        time.sleep(0.3)
        return bench.is_named(('Output', 'at best effort'))
    yield is_told
    bench.rig.node.destroy_subscription(subscription)


# Parameters, services, lifecycle

@fault('wrong parameters')
def wrong_parameters(bench, rng):
    name, value = rng.choice((
        ('overlay_alpha', 2.0), ('max_rate', float('nan')), ('jpeg_quality', 'x'), ('model', '/other'),
        ('confidence_threshold', float('inf')), ('cameras', ['a', 'a']), ('max_decode_time', -1.0)))
    refused = bench.rig.set(**{name: value})
    yield lambda: bool(refused.get(name))


@fault('parameters that change while images come')
def changing_parameters(bench, rng):
    for _ in range(10):
        bench.show()
        assert bench.rig.set(overlay_alpha=rng.random(), confidence_threshold=rng.random() * 0.1,
                             jpeg_quality=rng.randrange(1, 101)) == {}
    yield None
    assert bench.rig.set(confidence_threshold=0.0) == {}


@fault('~/enable off')
def disabled(bench, rng):
    bench.rig.enable(False)
    yield 'Output', 'disabled by ~/enable'
    bench.rig.enable(True)


@fault('deactivated')
def deactivated(bench, rng):
    assert bench.rig.change_state('deactivate')
    yield 'Input', 'not active'
    assert bench.rig.change_state('activate')


@fault('cleaned up')
def cleaned_up(bench, rng):
    bench.down()
    yield 'Engine', 'not configured'
    bench.up()


@fault('transitions that its state does not have')
def wrong_transitions(bench, rng):
    label = rng.choice(('configure', 'activate', 'cleanup'))
    result = bench.rig.change_state(label)
    yield lambda: not result


@fault('a model that is missing')
def no_model(bench, rng):
    bench.down()
    assert bench.rig.set(model='/nowhere/model.yaml') == {} and not bench.rig.change_state('configure')
    yield 'Engine', 'not configured: '
    assert bench.rig.set(model=str(bench.model)) == {}
    bench.up()

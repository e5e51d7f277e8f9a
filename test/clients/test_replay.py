"""Images played into a segmentation node, and its answers."""
import numpy as np
import pytest
from ros_process import wait_until
from segmentation_rig import FP32, picture

from espnet_ros import models
from espnet_ros.engine import build_engine
from espnet_ros.errors import EspnetError, SourceError
from espnet_ros.segmenter import Segmenter

pytest.importorskip('rclpy', reason='it needs ROS 2')

STAMPS = [1_000_000_000 * 10**9 + number * 10**8 for number in range(6)]
SHORT_LEASE = """<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
<participant profile_name="short_lease" is_default_profile="true"><rtps><builtin><discovery_config>
<leaseDuration><sec>3</sec></leaseDuration><leaseAnnouncement><sec>1</sec></leaseAnnouncement>
</discovery_config></builtin></rtps></participant></profiles>"""
BLACK = np.zeros((8, 8, 3), np.uint8)


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec


@pytest.fixture(scope='module')
def segmenter(small_model):
    """What the node runs, in this process."""
    model = models.find(str(small_model))
    return Segmenter(build_engine(model.card, models.load(model), 160, 120, 'torch', 'cpu', 'fp32'))


@pytest.fixture(scope='module')
def rig(start_rig, small_model):
    return start_rig('model:=' + str(small_model), *FP32)


@pytest.fixture(scope='module')
def sim_rig(start_rig, small_model):
    return start_rig('model:=' + str(small_model), *FP32, 'use_sim_time:=true', remap=('image:=front/camera',))


@pytest.mark.parametrize('name', ['rig', 'sim_rig'])
def test_every_image_that_is_waited_for_is_answered_with_the_engines_own_labels(name, request, play, segmenter):
    player = play(request.getfixturevalue(name).name)
    player.connect(60.0)
    assert player.class_names == list(segmenter.engine.card.label_set.names)
    for number, stamp in enumerate(STAMPS):
        image = picture(seed=number)
        answer = player.ask(stamp, 'camera', image, 60.0)
        np.testing.assert_array_equal(answer.labels, segmenter.segment(image).labels)
        assert answer[:2] == (stamp, 'camera') and answer.latency > 0
    engine = player.engine()
    assert (engine.backend, engine.precision, engine.fallback) == ('torch', 'fp32', '')
    assert player.model() == (segmenter.engine.card.sha256, '160x120')


def test_images_that_are_not_waited_for_are_answered_in_order_and_the_last_one_always(play, rig, segmenter):
    player = play(rig.name)
    player.connect(60.0)
    player.ask(STAMPS[0], 'warm-up', BLACK, 60.0)
    before = player.counters()
    for number, stamp in enumerate(STAMPS):
        player.send(stamp, 'camera', picture(seed=number))
    assert player.wait(STAMPS[-1], 'camera', 60.0)
    answers = player.take()
    stamps = [answer.stamp for answer in answers]
    assert stamps == sorted(set(stamps)) and stamps[-1] == STAMPS[-1]
    for answer in answers:
        image = picture(seed=STAMPS.index(answer.stamp))
        np.testing.assert_array_equal(answer.labels, segmenter.segment(image).labels)
    assert player.take() == []
    found = {name: value - before[name] for name, value in player.counters().items()}
    assert found['dropped'] + found['lost'] == len(STAMPS) - len(answers)
    assert found['received'] + found['lost'] == len(STAMPS) and found['refused'] == found['failed'] == 0


def test_connecting_again_makes_no_second_camera(play, rig):
    player = play(rig.name)
    for _ in range(3):
        player.connect(60.0)
    wait_until(lambda: player.count_publishers(rig.namespace + '/image') == 1)


def test_a_camera_on_the_same_topic_is_named(play, rig, observer):
    from sensor_msgs.msg import Image
    camera = observer.node.create_publisher(Image, rig.namespace + '/image', 1)
    player = play(rig.name)
    wait_until(lambda: player.count_publishers(rig.namespace + '/image'))
    with pytest.raises(SourceError, match='observer also publishes images on {}/image'.format(rig.namespace)):
        player.connect(60.0)
    observer.node.destroy_publisher(camera)


def test_the_clock_says_the_stamp_of_the_image_and_goes_on(play, rig, observer):
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import Image
    clocks, labels = observer.collect(Clock, '/clock'), observer.collect(Image, rig.name + '/labels')
    player = play(rig.name)
    player.connect(60.0)

    def told():  # once the observer is found
        player.ask(STAMPS[3], 'camera', picture(), 60.0)  # the node gets a later stamp each time
        return {nanoseconds(c.clock) for c in clocks} & {nanoseconds(m.header.stamp) for m in labels}
    assert min(wait_until(told)) >= STAMPS[3]
    player.tick(0.025)
    wait_until(lambda: nanoseconds(clocks[-1].clock) - nanoseconds(labels[-1].header.stamp) == 25 * 10**6)


def test_a_node_that_is_not_there_is_named(play):
    with pytest.raises(SourceError, match="no segmentation node is called '/nobody'"):
        play('/nobody').connect(0.2)


def test_a_node_without_an_engine_says_why(play, start_rig):
    rig = start_rig('model:=no-such-model', wait='not started')
    with pytest.raises(SourceError, match="has no engine: not configured: .*'no-such-model'"):
        play(rig.name).connect(60.0)


def test_a_node_that_is_not_active_says_so(play, start_rig, small_model):
    rig = start_rig('model:=' + str(small_model), 'autostart:=false', wait=None)
    wait_until(lambda: rig.status('Engine'))
    player = play(rig.name)
    wait_until(player._is_there)
    wait_until(lambda: 'Engine: not configured' in player.silence(0))
    with pytest.raises(SourceError, match='takes no raw images: it must be active, .*say: Engine: not configured'):
        player.connect(0.5)


def test_a_node_that_listens_at_best_effort_is_told_what_to_change(play, start_rig, small_model):
    rig = start_rig('model:=' + str(small_model), *FP32, 'image_reliability:=best_effort')
    player = play(rig.name)

    def is_told():
        with pytest.raises(SourceError) as error:
            player.connect(1.0)
        return 'at best effort, which loses images; give it the parameter image_reliability:=auto' in str(error.value)
    wait_until(is_told)


def test_labels_that_are_published_elsewhere_are_told(play, start_rig, small_model):
    rig = start_rig('model:=' + str(small_model), *FP32, remap=('~/labels:=/elsewhere',))
    with pytest.raises(SourceError, match='publishes its labels elsewhere than on {}/labels'.format(rig.name)):
        play(rig.name).connect(60.0)


@pytest.mark.parametrize('end', ['INT', 'KILL'])
def test_a_node_that_ends_is_told_and_not_waited_for(play, start_rig, small_model, end, tmp_path, monkeypatch):
    # Others notice a killed participant when its lease ends: after 20 s by default.
    (tmp_path / 'short_lease.xml').write_text(SHORT_LEASE)
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', str(tmp_path / 'short_lease.xml'))
    rig = start_rig('model:=' + str(small_model), *FP32)
    player = play(rig.name)
    player.connect(60.0)
    player.ask(STAMPS[0], 'camera', BLACK, 60.0)
    if end == 'INT':
        rig.process.stop()
    else:
        rig.process.kill()
    with pytest.raises(SourceError, match="'{}' is gone".format(rig.name)):
        player.ask(STAMPS[1], 'camera', BLACK, 120.0)


def test_who_started_the_node_can_tell_its_end(play, rig):
    ended = []

    def check():
        if ended:
            raise EspnetError('the node ended with code 1')
    player = play(rig.name, check)
    player.connect(60.0)
    ended.append(True)
    with pytest.raises(EspnetError, match='the node ended with code 1'):
        player.wait(STAMPS[0], 'camera', 60.0)
        player.ask(STAMPS[0], 'camera', BLACK, 60.0)

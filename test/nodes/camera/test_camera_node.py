"""The camera node as a real process over real DDS."""
import itertools
import signal
import socket
import time

import cv2
import numpy as np
import pytest
from ros_process import wait_until
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from espnet_ros.images.sources import open_source
from espnet_ros.nodes.common.messages import compressed_to_bgr, image_to_bgr
from espnet_ros.scene import Street

MODULE = 'espnet_ros.nodes.camera.__main__'


@pytest.fixture
def start_camera(start_node):
    """Function start_camera(name=value, ...) -> NodeProcess of the node with these parameters."""
    def start(**parameters):
        arguments = ['--ros-args']
        for name, value in parameters.items():
            arguments += ['-p', '{}:={}'.format(name, str(value).lower() if isinstance(value, bool) else value)]
        return start_node(MODULE, *arguments)
    return start


@pytest.fixture
def folder(tmp_path):
    """Folder of twelve images, each of another color; the last is of another size."""
    path = tmp_path / 'pictures'
    path.mkdir()
    for number in range(12):
        shape = (40, 60, 3) if number < 11 else (30, 50, 3)
        cv2.imwrite(str(path / 'frame{}.png'.format(number)), np.full(shape, 20 * number, np.uint8))
    return path


def nanoseconds(message):
    """Stamp of a message."""
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_folder_is_published_to_its_end(start_camera, observer, folder):
    images = observer.collect(Image, 'image_raw')
    infos = observer.collect(CameraInfo, 'camera_info')
    began = time.time_ns()
    process = start_camera(source=folder, rate=20, frame_id='front', wait_for_subscriber=True)
    output = process.wait_for_end(0)
    assert 'the source has ended after 12 images' in output and 'Traceback' not in output
    wait_until(lambda: len(images) == 12 and infos)
    for number, (message, capture) in enumerate(zip(images, open_source(folder))):
        assert np.array_equal(image_to_bgr(message), capture.image)
        assert (message.encoding, message.header.frame_id) == ('bgr8', 'front')
        assert message.step == 3 * message.width
        assert message.data[0] == 20 * number
    stamps = [nanoseconds(message) for message in images]
    assert stamps == sorted(set(stamps)) and began < stamps[0] and stamps[-1] < time.time_ns()
    sizes = {nanoseconds(message): (message.width, message.height) for message in images}
    for info in infos:
        assert (info.width, info.height) == sizes[nanoseconds(info)] and info.header.frame_id == 'front'
        assert not info.k.any() and not info.p.any() and info.distortion_model == '' and len(info.d) == 0


def test_rate_is_kept_over_all_images(start_camera, observer, folder):
    images = observer.collect(Image, 'image_raw', 100)
    process = start_camera(source=folder, rate=20, loop=True)
    wait_until(lambda: len(images) >= 61)
    process.stop()
    stamps = [nanoseconds(message) / 1e9 for message in images]
    assert 60 / (stamps[60] - stamps[0]) == pytest.approx(20.0, rel=0.1)


def test_video_at_its_own_rate(start_camera, observer, tmp_path):
    path = tmp_path / 'drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 16.0, (64, 48))
    for number in range(24):
        writer.write(np.full((48, 64, 3), 10 * number, np.uint8))
    writer.release()
    images = observer.collect(Image, 'image_raw')
    output = start_camera(source=path, wait_for_subscriber=True, width=32).wait_for_end(0)
    assert 'the source has ended after 24 images' in output
    wait_until(lambda: len(images) == 24)
    assert [int(round(image_to_bgr(m).mean() / 10)) for m in images] == list(range(24))
    assert {(m.width, m.height) for m in images} == {(32, 24)}
    stamps = [nanoseconds(message) / 1e9 for message in images]
    assert 23 / (stamps[-1] - stamps[0]) == pytest.approx(16.0, rel=0.15)


def test_street_with_ground_truth_and_calibration(start_camera, observer):
    topics = [observer.collect(kind, name, 10) for kind, name in (
        (Image, 'image_raw'), (Image, 'ground_truth'), (CameraInfo, 'camera_info'),
        (CompressedImage, 'image_raw/compressed'))]
    process = start_camera(source='street:7', width=192, height=96, rate=5, jpeg_quality=95)
    wait_until(lambda: all(len(topic) >= 8 for topic in topics))
    process.stop()
    images, truths, infos, compressed = ({nanoseconds(m): m for m in topic} for topic in topics)
    stamps = sorted(set(images) & set(truths) & set(infos) & set(compressed))
    assert len(stamps) >= 6
    street = Street(192, 96, 7)
    frames = [street.frame(number / 5.0) for number in range(60)]
    numbers = {frame.image.tobytes(): number for number, frame in enumerate(frames)}
    found = [numbers[image_to_bgr(images[stamp]).tobytes()] for stamp in stamps]
    assert found == sorted(set(found))
    for stamp, number in zip(stamps, found):
        frame = frames[number]
        assert truths[stamp].encoding == 'mono8' and truths[stamp].step == 192
        assert np.array_equal(np.reshape(truths[stamp].data, (96, 192)), frame.labels)
        assert truths[stamp].header == images[stamp].header == infos[stamp].header == compressed[stamp].header
        assert (infos[stamp].width, infos[stamp].height) == (192, 96)
        assert infos[stamp].k.tolist() == street.camera_matrix.ravel().tolist()
        jpeg = cv2.imencode('.jpg', frame.image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
        assert np.array_equal(compressed_to_bgr(compressed[stamp]), cv2.imdecode(jpeg, cv2.IMREAD_COLOR))


def test_calibration_file_is_scaled_to_the_images(start_camera, observer, folder, tmp_path):
    calibration = tmp_path / 'lens.yaml'
    calibration.write_text(
        'image_width: 120\nimage_height: 80\ndistortion_model: plumb_bob\n'
        'camera_matrix: {data: [100, 0, 59.5, 0, 110, 39.5, 0, 0, 1]}\n'
        'distortion_coefficients: {data: [0.5, 0.25, 0, 0, 0]}\n'
        'rectification_matrix: {data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}\n'
        'projection_matrix: {data: [100, 0, 59.5, 0, 0, 110, 39.5, 0, 0, 0, 1, 0]}\n')
    infos = observer.collect(CameraInfo, 'camera_info')
    process = start_camera(source=folder / 'frame3.png', loop=True, camera_info_url=calibration)
    wait_until(lambda: infos)
    process.stop()
    assert (infos[0].width, infos[0].height) == (60, 40)
    assert infos[0].k.tolist() == [50, 0, 29.5, 0, 55, 19.5, 0, 0, 1]
    assert list(infos[0].d) == [0.5, 0.25, 0, 0, 0]


def test_stamps_follow_simulated_time(start_camera, observer, folder):
    from rosgraph_msgs.msg import Clock
    images = observer.collect(Image, 'image_raw')
    clock = observer.node.create_publisher(Clock, '/clock', 10)
    process = start_camera(source=folder, loop=True, rate=20, use_sim_time=True)
    message = Clock()
    message.clock.sec = 42

    def tick():
        clock.publish(message)
        time.sleep(0.05)
        return any(m.header.stamp.sec == 42 for m in images)
    wait_until(tick)
    process.stop()
    assert {m.header.stamp.sec for m in images} <= {0, 42}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_while_publishing(start_camera, observer, number):
    images = observer.collect(Image, 'image_raw')
    process = start_camera(source='street', width=320, rate=30)
    wait_until(lambda: len(images) > 3)
    process.stop(number)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_it_while_it_waits(start_camera, observer, folder, number):
    process = start_camera(source=folder, wait_for_subscriber=True)
    wait_until(lambda: observer.node.count_publishers('camera_info') == 1)
    process.stop(number)


@pytest.mark.parametrize('answers', [True, False], ids=['silent', 'refused'])
def test_dead_stream_is_looked_for_and_does_not_hang_the_end(start_camera, answers):
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        if answers:
            server.listen(5)
            server.settimeout(60.0)
        process = start_camera(source='rtsp://me:s3cret@127.0.0.1:{}/live'.format(server.getsockname()[1]))
        if answers:
            connection = server.accept()[0]
            time.sleep(0.3)  # now it waits for an answer
        else:
            process.wait_for('cannot open the stream')
            time.sleep(1.5)  # and tries again
        output = process.stop()
        if answers:
            connection.close()
    assert 's3cret' not in output
    assert output.count('cannot open the stream') == (0 if answers else 1)


def test_lost_stream_comes_back(start_camera, observer):
    """A server that sends a few JPEG pictures, hangs up, and is there again."""
    images = observer.collect(Image, 'image_raw')
    jpeg = cv2.imencode('.jpg', np.full((48, 64, 3), 90, np.uint8))[1].tobytes()
    with socket.socket() as server:
        server.bind(('127.0.0.1', 0))
        server.listen(5)
        server.settimeout(60.0)
        process = start_camera(source='http://127.0.0.1:{}/mjpeg'.format(server.getsockname()[1]))
        for round_ in range(2):
            before = len(images)
            with server.accept()[0] as client:
                client.recv(4096)
                client.sendall(b'HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=next\r\n\r\n')
                deadline = time.monotonic() + 60.0
                while len(images) < before + 3 and time.monotonic() < deadline:
                    client.sendall(b'--next\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg)
                                   + jpeg + b'\r\n')
                    time.sleep(0.05)
            assert len(images) >= before + 3, process.output
            if round_ == 0:
                process.wait_for('delivers no more images; trying again until it is back')
        process.wait_for('images arrive again')
        output = process.stop()
    assert abs(float(image_to_bgr(images[0]).mean()) - 90) < 2
    assert output.count('trying again until it is back') <= 2


@pytest.mark.parametrize('parameters, sentence', [
    ({'source': 'no/such/file.mp4'}, 'there is no file or folder no/such/file.mp4; a source is street, '),
    ({'source': '/dev/video977'}, 'there is no camera /dev/video977; '),
    ({'rate': '.nan', 'loop': 3}, 'parameter loop must be true or false, not 3'),
    ({'source': 'street', 'width': 8}, 'width 8 of a street'),
    ({'camera_info_url': '/no/such.yaml'}, "cannot read camera_info_url '/no/such.yaml': No such file or directory"),
])
def test_wrong_parameters_are_one_sentence(start_camera, parameters, sentence):
    output = start_camera(**parameters).wait_for_end(1)
    lines = [line for line in output.splitlines() if '[rcl]' not in line]
    assert len(lines) == 1 and '[FATAL]' in lines[0] and sentence in lines[0], output


def test_broken_images_are_told_and_passed_over(start_camera, observer, folder):
    (folder / 'frame2.png').write_bytes(b'broken')
    images = observer.collect(Image, 'image_raw')
    output = start_camera(source=folder, rate=50, wait_for_subscriber=True).wait_for_end(0)
    assert 'frame2.png (6 bytes) is not an image or is damaged' in output
    assert 'the source has ended after 11 images' in output
    wait_until(lambda: len(images) == 11)
    assert [m.data[0] // 20 for m in images] == [0, 1, *range(3, 12)]


def test_jpeg_quality_can_change_while_it_runs(start_camera, observer):
    from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
    from rcl_interfaces.srv import SetParameters
    images = observer.collect(CompressedImage, 'image_raw/compressed')
    process = start_camera(source='street', width=256, rate=20)
    client = observer.node.create_client(SetParameters, '/camera/set_parameters')
    wait_until(client.service_is_ready)
    wait_until(lambda: images)
    best = len(images[0].data)

    def set_quality(value):
        parameter = Parameter(name='jpeg_quality', value=ParameterValue(
            type=ParameterType.PARAMETER_INTEGER, integer_value=value))
        future = client.call_async(SetParameters.Request(parameters=[parameter]))
        wait_until(future.done)
        return future.result().results[0]
    refused = set_quality(500)
    assert not refused.successful and 'jpeg_quality' in refused.reason
    assert set_quality(5).successful
    wait_until(lambda: len(images[-1].data) < 0.6 * best)
    process.stop()


def test_nothing_is_encoded_for_nobody(monkeypatch):
    """In this process: publishers without subscribers are not handed messages that cost time."""
    from std_msgs.msg import Header

    from espnet_ros.nodes.camera import node as camera
    monkeypatch.setattr(camera, 'array_to_image', None)
    monkeypatch.setattr(camera, 'bgr_to_compressed', None)

    class Publisher(list):
        publish = list.append

        def get_subscription_count(self):
            return 0

    class Node:
        publishers = []

        def create_publisher(self, kind, topic, qos):
            self.publishers.append(Publisher())
            return self.publishers[-1]
    outputs = camera.CameraOutputs(Node(), CameraInfo(), True)
    capture = next(itertools.islice(open_source('street', 64, 32), 1))
    outputs.publish(capture, Header(frame_id='x'), 80)
    assert [len(p) for p in Node.publishers] == [0, 0, 1, 0]


def test_simulated_time_without_a_clock_is_told(start_node):
    node = start_node(MODULE, '--ros-args', '-p', 'use_sim_time:=true', '-p', 'width:=96', '-p', 'height:=64')
    node.wait_for('active: images of street on /image_raw')
    node.wait_for('use_sim_time is true, but nothing publishes /clock')
    node.stop()

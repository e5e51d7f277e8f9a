"""The part of the fault campaign that needs ROS: malformed images between good ones, over DDS to a running node.

    python test/campaign/over_dds.py [--minutes 5] [--seed S] [--transport raw]
"""
import argparse
import collections
import pathlib
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

GOOD_EVERY = 50
"""Malformed images between two good ones."""
PATIENCE = 30.0
"""Seconds within which a good image is answered, sent again each second: the machine may be busy."""


def to_message(case, transport):
    """Return a case of targets.RawImages or CompressedImages as ROS message; None where a message cannot say that."""
    from sensor_msgs.msg import CompressedImage, Image
    if transport == 'compressed':
        return CompressedImage(format=case.format, data=case.data)
    if '\0' in case.encoding or max(case.step, case.width, case.height) >= 1 << 32:
        return None
    return Image(width=case.width, height=case.height, step=case.step, encoding=case.encoding,
                 is_bigendian=case.is_bigendian, data=case.data)


def is_malformed(message, transport):
    from espnet_ros.errors import ImageError
    from espnet_ros.nodes.common import messages
    try:
        (messages.image_to_bgr if transport == 'raw' else messages.compressed_to_bgr)(message)
    except ImageError:
        return True
    return False


def memory(pid):
    """Return a process's resident memory in KiB."""
    text = pathlib.Path('/proc/{}/status'.format(pid)).read_text()
    return int(text.partition('VmRSS:')[2].split()[0])


def good_message(transport):
    import cv2
    from sensor_msgs.msg import CompressedImage, Image
    from targets import SMOOTH
    if transport == 'compressed':
        return CompressedImage(format='jpeg', data=cv2.imencode('.jpg', SMOOTH)[1].tobytes())
    return Image(width=160, height=120, step=480, encoding='bgr8', data=SMOOTH.tobytes())


def campaign(rig, transport, seed, minutes):
    """Run it against a Rig; return a Counter and the memory of the node, in KiB, through time."""
    from sensor_msgs.msg import Image
    from targets import TARGETS, rng_of
    topic = 'image' if transport == 'raw' else 'image/compressed'
    name = {'raw': 'RawImages', 'compressed': 'CompressedImages'}[transport]
    counts, sizes, bad_stamps = collections.Counter(), [], set()
    answers = rig.collect(Image, 'labels')
    good = good_message(transport)
    rig.ask(good, answers, topic)
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](folder)
        number, end = 0, time.monotonic() + 60.0 * minutes
        while time.monotonic() < end and rig.process.is_running():
            for _ in range(GOOD_EVERY):
                message = to_message(target.case(rng_of(seed, name, number)), transport)
                number += 1
                if message is None or not is_malformed(message, transport):
                    continue
                header = rig.show(message, topic)
                bad_stamps.add((header.stamp.sec, header.stamp.nanosec))
                counts['malformed'] += 1
            counts['good'] += 1
            try:
                rig.ask(good, answers, topic)
                counts['answered'] += 1
            except BaseException as error:  # pytest's Failed is one
                counts['unanswered: ' + type(error).__name__] += 1
            counts['malformed answered'] += sum(
                (a.header.stamp.sec, a.header.stamp.nanosec) in bad_stamps for a in answers)
            del answers[:]
            sizes.append(memory(rig.process.pid))
    counts['alive'] = int(rig.process.is_running())
    counts['bytes of log'] = len(rig.process.output)
    if counts['alive']:
        values = rig.counts()
        counts.update({'node ' + key: value for key, value in values.items()})
    return counts, sizes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=5.0)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--transport', choices=('raw', 'compressed'), default='raw')
    options = parser.parse_args()
    import rclpy
    from segmentation_rig import FP32, Rig, write_model

    from espnet_ros.clients.domain import private_domain
    with private_domain() as domain, tempfile.TemporaryDirectory() as folder:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        rig = Rig(domain, context, '/campaign', 'model:={}'.format(write_model(pathlib.Path(folder))), *FP32,
                  'image_transport:=' + options.transport)
        try:
            counts, sizes = campaign(rig, options.transport, options.seed, options.minutes)
        finally:
            rig.close()
            context.try_shutdown()
    print('{}, seed {}, {:g} minutes: {}'.format(options.transport, options.seed, options.minutes, dict(counts)))
    if len(sizes) > 4:
        warm = sizes[len(sizes) // 4]
        print('memory: {} MiB after a quarter, {} MiB at the end ({:+.1f}%)'.format(
            warm >> 10, sizes[-1] >> 10, 100.0 * (sizes[-1] - warm) / warm))
    bad = counts['malformed answered'] or counts['answered'] != counts['good'] or not counts['alive']
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

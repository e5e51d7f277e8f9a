"""The part of the fault campaign that needs ROS: malformed images between good ones, over DDS to a running node.

    python test/campaign/over_dds.py [--minutes 6] [--seed S] [--transports raw,compressed,cdr] [--table FILE]

cdr: serialized images with mutated bytes, as a broken publisher may send them.
"""
import argparse
import collections
import pathlib
import sys
import tempfile
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

GOOD_EVERY = 50
"""Malformed images between two good ones."""
LARGEST = 1 << 16
"""Bytes of a malformed raw image, whatever it claims to have: larger ones, as in run.py, would halve their number."""
REPLACED = 0.1
"""Part of the images that newer ones replace before they reach the decoder; the sender slows down above it."""


TARGET_OF = {'raw': 'RawImages', 'compressed': 'CompressedImages', 'cdr': 'Cdr'}


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


class Pace:
    """A pause between images that follows what the node takes: as fast as few are replaced by newer ones."""

    def __init__(self, rig, transport):
        self._rig = rig
        self._replaced = {'dropped'} if transport == 'cdr' else {'dropped', 'lost'}  # what cannot be read is lost, too
        self._pause, self._due, self._before = 0.002, 0.0, None
        self._next = 0.0

    def wait(self):
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + 1.0
            values = {name: int(value) for name, value in self._rig.values('Input').items()
                      if name in ('received', 'dropped', 'lost') and value.isdigit()}
            if self._before and values['received'] > self._before['received']:
                change = {name: value - self._before.get(name, 0) for name, value in values.items()}
                many = sum(change.get(name, 0) for name in self._replaced) > REPLACED * change['received']
                self._pause = min(max(self._pause * (1.3 if many else 0.9), 1e-4), 0.1)
            self._before = values
        # From when the last one was due, not from now on: a machine at work sleeps for longer than it is told.
        self._next = max(self._next + self._pause, time.monotonic() - 0.01)
        time.sleep(max(0.0, self._next - time.monotonic()))


def campaign(rig, transport, seed, minutes, wanted=1 << 40):
    """Run it against a Rig; return a Counter and the memory of the node, in KiB, through time.

    It ends after so many minutes, or once the node has refused `wanted` images.
    """
    from rclpy.serialization import serialize_message
    from sensor_msgs.msg import Image
    from targets import TARGETS, mutated, rng_of
    topic = 'image/compressed' if transport == 'compressed' else 'image'
    name = TARGET_OF[transport]
    counts, sizes, bad_stamps = collections.Counter(), [], set()
    answers = rig.collect(Image, 'labels')
    good = good_message(transport)
    rig.ask(good, answers, topic)
    rig.counts()
    serialized, pace = serialize_message(good), Pace(rig, transport)
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name](folder)
        target.largest = LARGEST
        number, end = 0, time.monotonic() + 60.0 * minutes
        while time.monotonic() < end and rig.process.is_running() and int(rig.values('Input')['refused']) < wanted:
            for _ in range(GOOD_EVERY):
                rng, number = rng_of(seed, name, number), number + 1
                if transport == 'cdr':
                    rig.camera(Image).publish(mutated(serialized, rng, [serialized]))
                else:
                    message = to_message(target.case(rng), transport)
                    if message is None or not is_malformed(message, transport):
                        continue
                    header = rig.show(message, topic)
                    bad_stamps.add((header.stamp.sec, header.stamp.nanosec))
                counts['malformed'] += 1
                pace.wait()
            counts['good'] += 1
            try:
                rig.ask(good, answers, topic)
                counts['answered'] += 1
            except (Exception, pytest.fail.Exception) as error:
                counts['unanswered: ' + type(error).__name__] += 1
            counts['malformed answered'] += sum(
                (a.header.stamp.sec, a.header.stamp.nanosec) in bad_stamps for a in answers)
            del answers[:]
            sizes.append(memory(rig.process.pid))
    counts['alive'] = int(rig.process.is_running())
    # The middleware prints a line for each message that it cannot read.
    counts['bytes of log'] = len(''.join(line for line in rig.process.output.splitlines(True) if line.startswith('[')))
    if counts['alive']:
        values = rig.counts()
        counts.update({'node ' + key: value for key, value in values.items()})
    return counts, sizes


def row(transport, counts, sizes):
    """Return the row of the table."""
    kept = sizes[len(sizes) // 4:]
    return '| {} | {:,} | {:,} | {:,} | {} | {:,} | {:,} | {} to {} MiB ({:+.1f}%) | {:.1f} kB |'.format(
        transport, counts['malformed'], counts['node received'] - counts['answered'] - counts['node dropped'],
        counts['node refused'], '-' if transport == 'cdr' else counts['malformed answered'],
        counts['good'], counts['answered'], kept[0] >> 10, kept[-1] >> 10,
        100.0 * (kept[-1] - kept[0]) / kept[0], counts['bytes of log'] / 1000)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=6.0, help='of all transports together')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--transports', default='raw,compressed,cdr')
    parser.add_argument('--refused', type=int, default=1 << 40, help='end a transport after as many refused images')
    parser.add_argument('--table', help='document with the marks of this part')
    options = parser.parse_args()
    import rclpy
    from run import end_by_signals, processor, write_table
    from segmentation_rig import FP32, Rig, write_model

    from espnet_ros.clients.domain import private_domain
    end_by_signals()
    transports = options.transports.split(',')
    rows, bad = [], False
    for transport in transports:
        with private_domain() as domain, tempfile.TemporaryDirectory() as folder:
            context = rclpy.Context()
            rclpy.init(context=context, domain_id=domain)
            rig = Rig(domain, context, '/campaign', 'model:={}'.format(write_model(pathlib.Path(folder))), *FP32,
                      'image_transport:=' + ('compressed' if transport == 'compressed' else 'raw'))
            try:
                counts, sizes = campaign(
                    rig, transport, options.seed, options.minutes / len(transports), options.refused)
            finally:
                rig.close()
                context.try_shutdown()
        print('{}, seed {}: {}'.format(transport, options.seed, dict(counts)), flush=True)
        rows.append(row(transport, counts, sizes))
        bad |= bool(counts['malformed answered'] or counts['answered'] != counts['good'] or not counts['alive'])
    lines = ['Seed {}, {:.0f} minutes, {}.'.format(options.seed, options.minutes, processor()), '',
             '| transport | malformed sent | taken by the node | refused by it | malformed answered | good sent | '
             'good answered, stamps exact | memory after a quarter to the end | log |',
             '|---|---|---|---|---|---|---|---|---|', *rows]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines, 'dds')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())

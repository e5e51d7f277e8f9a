"""The soak of the fault campaign: a segmentation node at full speed with every output read, its resources sampled.

    python test/campaign/soak.py [--minutes 60] [--samples FILE] [--table docs/reliability.md]
"""
import argparse
import importlib
import os
import pathlib
import statistics
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / 'support')]

EVERY = 5.0
"""Seconds between samples."""
WARM = 0.1
"""Part of the samples that are left out: buffers and caches are still filled then."""
FLAT = 2.0
"""Percent that memory may grow from the first quarter of the other samples to their last."""


def sample(pid):
    """Return (memory in KiB, threads, open descriptors) of a process."""
    text = pathlib.Path('/proc/{}/status'.format(pid)).read_text()
    return (*(int(text.partition(key)[2].split()[0]) for key in ('VmRSS:', 'Threads:')),
            len(os.listdir('/proc/{}/fd'.format(pid))))


def soak(rig, minutes, tell=lambda row: None):
    """Send images to a Rig as fast as it answers; return (frames, samples), each sample (seconds, *sample())."""
    from segmentation_rig import picture
    from sensor_msgs.msg import CameraInfo, Image
    rig.counts()  # by now each has found the other
    answered = threading.Event()
    counts = dict.fromkeys(name for name, _ in topics(rig))

    def count(name):
        def on_message(_message):
            counts[name] = (counts[name] or 0) + 1
            if name.endswith('/labels'):
                answered.set()
        return on_message

    for name, kind in topics(rig):
        rig.node.create_subscription(class_of(kind), name, count(name), 5)
    # Two sizes in turn, so that no buffer fits for ever.
    images = []
    for width, height in ((160, 120), (200, 150)):
        images.append(Image(width=width, height=height, step=3 * width, encoding='bgr8',
                            data=picture(width, height).tobytes()))
    infos = rig.camera(CameraInfo, 'camera_info')
    samples, frames = [], 0
    began = due = time.monotonic()
    while time.monotonic() < began + 60.0 * minutes:
        answered.clear()
        image = images[frames % 2]
        info = CameraInfo(width=image.width, height=image.height)
        info.header = rig.show(image)
        infos.publish(info)
        answered.wait(2.0)
        frames += 1
        if time.monotonic() >= due:
            due += EVERY
            samples.append((time.monotonic() - began, *sample(rig.process.pid)))
            tell(samples[-1])
    silent = sorted(name for name, number in counts.items() if not number)
    assert not silent, 'nothing on {}'.format(', '.join(silent))
    return counts['{}/labels'.format(rig.name)], samples


def topics(rig):
    """Return (name, type) of each output of a frame."""
    namespace, name = rig.name.rsplit('/', 1)
    found = rig.node.get_publisher_names_and_types_by_node(name, namespace)
    return [(topic, kinds[0]) for topic, kinds in found
            if topic.startswith(rig.name + '/') and not topic.endswith(('transition_event', 'label_map'))]


def class_of(kind):
    """Return the class of a message type by its name, as in sensor_msgs/msg/Image."""
    package, _, name = kind.partition('/msg/')
    return getattr(importlib.import_module(package + '.msg'), name)


def verdict(samples):
    """Return (row, flat): what the table says of the samples, and whether memory, threads and descriptors are flat."""
    kept = samples[int(WARM * len(samples)):]
    quarter = max(1, len(kept) // 4)
    first, last = (statistics.median(row[1] for row in rows) for rows in (kept[:quarter], kept[-quarter:]))
    grown = 100.0 * (last - first) / first
    spans = [(min(row[i] for row in kept), max(row[i] for row in kept)) for i in (2, 3)]
    # A thread that is starting while it is counted holds a descriptor, too.
    flat = grown <= FLAT and all(
        statistics.median(row[i] for row in kept[-quarter:]) <= statistics.median(row[i] for row in kept[:quarter])
        for i in (2, 3))
    return '{:.1f} to {:.1f} MiB ({:+.2f}%) | {} to {} | {} to {}'.format(
        first / 1024, last / 1024, grown, *spans[0], *spans[1]), flat


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--minutes', type=float, default=60.0)
    parser.add_argument('--samples', help='file to which each sample is written: seconds, KiB, threads, descriptors')
    parser.add_argument('--table', help='document with the marks of the soak')
    options = parser.parse_args()
    import rclpy
    from run import end_by_signals, processor, write_table
    from segmentation_rig import FP32, Rig, write_model

    from espnet_ros.clients.domain import private_domain
    end_by_signals()
    with private_domain() as domain, tempfile.TemporaryDirectory() as folder, \
            open(options.samples or os.devnull, 'w', encoding='utf-8', buffering=1) as stream:
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=domain)
        rig = Rig(domain, context, '/soak', 'model:={}'.format(write_model(pathlib.Path(folder))), *FP32)
        try:
            frames, samples = soak(rig, options.minutes, lambda row: print(*row, file=stream))
            counts, log = rig.counts(), len(rig.process.output)
        finally:
            rig.close()
            context.try_shutdown()
    row, flat = verdict(samples)
    lines = ['{:.0f} minutes, {}, a load of {:.1f} in the last quarter of an hour.'.format(
                 samples[-1][0] / 60.0, processor(), os.getloadavg()[2]), '',
             '| frames | per second | memory | threads | descriptors | failed | log |', '|---|---|---|---|---|---|---|',
             '| {:,} | {:.0f} | {} | {} | {:.1f} kB |'.format(
                 frames, frames / samples[-1][0], row, counts['failed'] + counts['refused'], log / 1000)]
    print('\n'.join(lines))
    if options.table:
        write_table(options.table, lines, 'soak')
    return 0 if flat and not counts['failed'] + counts['refused'] else 1


if __name__ == '__main__':
    sys.exit(main())

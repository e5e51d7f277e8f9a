"""Faults of compressed images, and of what decoding them needs: time, memory, descriptors, disk."""
import contextlib
import functools
import os
import pathlib
import resource
import time

from node_fault_kinds.faults import Faults
from node_fault_kinds.images import refused

FAULTS = Faults()
fault = FAULTS.define


@fault('a compressed image that is none', image_transport='compressed')
def malformed_compressed(bench, rng):
    from targets import CompressedImages
    yield from refused(bench, rng, CompressedImages, 'compressed')


@fault('a JPEG that is damaged', image_transport='compressed')
def damaged(bench, rng):
    import cv2
    from segmentation_rig import picture
    from sensor_msgs.msg import CompressedImage
    data = bytearray(cv2.imencode('.jpg', picture(640, 480))[1].tobytes())
    data[3000:3040] = bytes(40)

    def is_told():
        bench.show(CompressedImage(format='jpeg', data=data))
        time.sleep(0.3)
        return bench.is_named(('Input', 'is damaged and was used all the same'))
    yield is_told


@functools.lru_cache
def large(side):
    """A compressed image, a small PNG of side x side pixels; a side of 5000 takes a tenth of a second to decode."""
    import cv2
    import numpy as np
    from sensor_msgs.msg import CompressedImage
    return CompressedImage(
        format='png', data=cv2.imencode('.png', np.zeros((side, side, 3), np.uint8))[1].tobytes())


@fault('a decoder that takes too long', image_transport='compressed', max_decode_time=0.05)
def slow_decoder(bench, rng):
    def is_told():
        bench.show(large(5000))
        time.sleep(1.0)
        return bench.is_named(('Input', 'is not decoded: it took longer'))
    yield is_told


@fault('no descriptors left', image_transport='compressed')
def descriptors(bench, rng):
    with limit(bench, resource.RLIMIT_NOFILE, len(os.listdir('/proc/{}/fd'.format(bench.rig.process.pid)))):
        for _ in range(5):
            bench.answered()
        yield None


@fault('a full disk (no file may grow)', image_transport='compressed')
def full_disk(bench, rng):
    with limit(bench, resource.RLIMIT_FSIZE, 0):
        for _ in range(5):
            bench.answered()
        yield None


@contextlib.contextmanager
def limit(bench, what, value):
    pid = bench.rig.process.pid
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


# A large message would find no memory in the middleware, and the node would never see it.
@fault('no memory for a large image', image_transport='compressed')
def memory(bench, rng):
    message = large(8000)
    bench.anew()  # it keeps the memory of images that it has seen
    bench.answered()
    pages = int(pathlib.Path('/proc/{}/statm'.format(bench.rig.process.pid)).read_text().split()[0])
    with limit(bench, resource.RLIMIT_AS, pages * resource.getpagesize() + (40 << 20)):
        def is_told():
            bench.show(message)
            time.sleep(0.3)
            return bench.is_named(('Input', 'there is no memory left for it'))
        yield is_told

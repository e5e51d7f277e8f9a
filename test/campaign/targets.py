"""What the campaign attacks: for each target, real inputs and what is done with a mutated one."""
import abc
import io
import pathlib
import random
import re
import shutil
import struct
import types
import zlib

import bag_maker
import cv2
import numpy as np
import torch
from model_cards import card
from rosbags.rosbag2.reader import zstd
from small_models import CONFIG, network

from espnet_ros import labels
from espnet_ros.bags.reader import open_bag
from espnet_ros.errors import EspnetError
from espnet_ros.images.decoding import ENCODINGS, compressed_to_bgr, compressed_to_label_pixels, image_to_bgr
from espnet_ros.images.headers import JPEG_SCAN, jpeg_segments
from espnet_ros.images.pictures import read_image
from espnet_ros.images.sources import open_source
from espnet_ros.labels import label_set_to_dict, load_label_set
from espnet_ros.labels.label_map import label_map_to_set, set_to_label_map
from espnet_ros.models.card import read_card, write_card
from espnet_ros.models.checkpoint import load_network, write_weights

from mutations import mutated  # isort: skip

IMAGE = np.random.RandomState(0).randint(0, 256, (37, 53, 3)).astype(np.uint8)
SMOOTH = cv2.resize(IMAGE, (160, 120))


class Target(abc.ABC):
    """One kind of input. suffix: of the file that holds it."""

    suffix = '.bin'

    def __init__(self, folder):
        """folder: an empty folder of its own, for the real inputs and for the mutated one."""
        self.folder = pathlib.Path(folder)
        self.corpus = self.inputs()

    @abc.abstractmethod
    def inputs(self):
        """Return the real inputs, bytes."""

    def case(self, rng):
        """Return the mutated input that a random.Random makes."""
        return mutated(rng.choice(self.corpus), rng, self.corpus)

    def file(self, data):
        path = self.folder / ('case' + self.suffix)
        path.write_bytes(data)
        return str(path)

    @abc.abstractmethod
    def run(self, data):
        """Use the input; EspnetError is a refusal, and any other exception a defect."""


def jpeg_with_scans(width, height, scans):
    """A progressive JPEG, gray, of so many scans, of a few bytes each."""
    data = cv2.imencode('.jpg', np.full((height, width), 128, np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    starts = [start - 2 for marker, start in jpeg_segments(data) if marker == JPEG_SCAN]
    end = re.compile(b'\xff[\xc4\xda\xd9]').search(data, starts[1] + 12).start()
    return data[:end] + (scans - len(starts)) * data[starts[1]:end] + data[end:]


def chunk(kind, content):
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))


def png_bombs():
    """PNGs of kilobytes that claim or unpack to much more."""
    small = cv2.imencode('.png', IMAGE)[1].tobytes()
    text = chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(7900000), 9))
    head = struct.pack('>IIBBBBB', 20000, 20000, 8, 2, 0, 0, 0)
    return [small[:33] + 50 * text + small[33:],
            small[:8] + chunk(b'IHDR', head) + chunk(b'IDAT', zlib.compress(bytes(10 << 20), 9)) + chunk(b'IEND', b'')]


def pictures():
    found = [cv2.imencode(suffix, IMAGE)[1].tobytes() for suffix in ('.png', '.jpg', '.bmp', '.ppm', '.tiff', '.webp')]
    return found + [cv2.imencode('.jpg', SMOOTH, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes(),
                    cv2.imencode('.png', IMAGE.astype(np.uint16) * 257)[1].tobytes(),
                    cv2.imencode('.pgm', IMAGE[..., 0])[1].tobytes(),
                    jpeg_with_scans(1024, 1024, 600), jpeg_with_scans(512, 512, 100), *png_bombs()]


class RawImages(Target):
    """Image messages with every field made up. largest: bytes of data, but for a hundred."""

    largest = 1 << 20

    def inputs(self):
        return [b'']

    def case(self, rng):
        encoding = rng.choice([*ENCODINGS, *ENCODINGS, '32FC1', '16UC1', '', 'x' * 1000, 'bgr8\0', 'BGR8'])
        sides = [rng.choice((0, 1, 2, 3, 5, 64, 641, 16384, 65536, 2**31, 2**32 - 1)) if rng.random() < 0.3
                 else rng.randrange(1, 80) for _ in 'wh']
        layout = ENCODINGS.get(encoding)
        pixel = layout.channels * np.dtype(layout.dtype).itemsize if layout else 3
        step = rng.choice((sides[0] * pixel,) * 6 + (0, 1, sides[0] * pixel + rng.randrange(9), 2**32 - 1))
        rows = sides[1] * 3 // 2 if layout and layout.chroma_below else sides[1]
        size = min(step * rows, self.largest) + rng.choice((0, 0, 0, 0, 1, -1, 100, -100))
        return types.SimpleNamespace(width=sides[0], height=sides[1], encoding=encoding, step=step,
                                     is_bigendian=rng.choice((0, 0, 1, 255)), data=rng.randbytes(max(0, size)))

    def run(self, data):
        image = image_to_bgr(data)
        assert image.dtype == np.uint8 and image.shape == (data.height, data.width, 3)


class CompressedImages(Target):
    """Compressed image messages, for pictures and for labels."""

    def inputs(self):
        return pictures()

    def case(self, rng):
        kind = rng.choice(('jpeg', 'png', 'rgb8; jpeg compressed bgr8', '16UC1; compressedDepth', '', 'x' * 5000))
        return types.SimpleNamespace(format=kind, data=super().case(rng))

    def run(self, data):
        refused = 0
        for read in (compressed_to_bgr, compressed_to_label_pixels):
            try:
                read(data)
            except EspnetError as error:
                refused, found = refused + 1, error
        if refused == 2:
            raise found


class Pictures(Target):
    """Picture files."""

    suffix = '.jpg'

    def inputs(self):
        return pictures()

    def run(self, data):
        assert read_image(self.file(data)).dtype == np.uint8


class Videos(Target):
    """Video files."""

    suffix = '.avi'

    def inputs(self):
        found = []
        for name, code in (('a.avi', 'MJPG'), ('a.mp4', 'mp4v')):
            writer = cv2.VideoWriter(str(self.folder / name), cv2.VideoWriter_fourcc(*code), 10.0, (160, 120))
            for i in range(6):
                writer.write(np.roll(SMOOTH, 10 * i, 1))
            writer.release()
            found.append((self.folder / name).read_bytes())
        return found

    def run(self, data):
        with open_source(self.file(data)) as source:
            for number, _ in enumerate(source):
                if number > 100:
                    break


class Weights(Target):
    """Weights files of both formats of PyTorch."""

    suffix = '.pth'

    def inputs(self):
        write_weights(network(), self.folder / 'new.pth')
        old = io.BytesIO()
        torch.save(network().state_dict(), old, _use_new_zipfile_serialization=False)
        return [(self.folder / 'new.pth').read_bytes(), old.getvalue()]

    def run(self, data):
        load_network(CONFIG, self.file(data))


class OnnxFiles(Target):
    """Networks of other people, checked and run once, as `espnet-ros models add` does."""

    suffix = '.onnx'

    def inputs(self):
        import onnx_files
        onnx_files.save_in_two(self.folder / 'case.onnx', onnx_files.classifier())
        return [(self.folder / 'case.onnx').read_bytes(),
                onnx_files.classifier(), onnx_files.classifier('labels', dtype='uint8'),
                onnx_files.classifier('probabilities', stride=2, dynamic=True),
                *(onnx_files.classifier(change=change) for change in (
                    onnx_files.external, onnx_files.huge_weights, onnx_files.huge_tensor, onnx_files.huge_resize))]

    def run(self, data):
        from espnet_ros.engine.foreign import Wishes, draft
        from espnet_ros.models.onnx_file import read_joined
        draft(read_joined(self.file(data)), 'case.onnx', 'case', '0' * 64, Wishes(label_set=labels.CAMVID))


class Cards(Target):
    """Model cards."""

    suffix = '.yaml'

    def inputs(self):
        write_card(card('a', b'1'), self.folder / 'a.yaml')
        shipped = pathlib.Path(__file__).resolve().parents[2] / 'models'
        return [(self.folder / 'a.yaml').read_bytes()] + [p.read_bytes() for p in sorted(shipped.glob('*.yaml'))]

    def run(self, data):
        read_card(self.file(data))


class LabelSets(Target):
    """Label sets, as files and as the label map of a node."""

    suffix = '.yaml'

    def inputs(self):
        import yaml
        found = [yaml.safe_dump(label_set_to_dict(s), sort_keys=False).encode() for s in (
            labels.CAMVID, labels.CITYSCAPES)]
        return found + [set_to_label_map(labels.CAMVID).encode()]

    def run(self, data):
        refused = 0
        for read in (lambda: load_label_set(self.file(data)), lambda: label_map_to_set(data.decode('latin-1'), '/x')):
            try:
                read()
            except EspnetError as error:
                refused, found = refused + 1, error
        if refused == 2:
            raise found


class Calibrations(Target):
    """Calibration files of the camera node; without ROS, what reads them is the same."""

    suffix = '.yaml'

    def inputs(self):
        import yaml
        matrix = {'rows': 3, 'cols': 3, 'data': [500.5, 0, 320.25, 0, 501.5, 240.75, 0, 0, 1]}
        content = {'image_width': 640, 'image_height': 480, 'camera_name': 'x', 'camera_matrix': matrix,
                   'distortion_model': 'plumb_bob', 'distortion_coefficients': {'data': [-0.25, 0.1, 0, 0, 0]},
                   'rectification_matrix': {'data': [1, 0, 0, 0, 1, 0, 0, 0, 1]},
                   'projection_matrix': {'data': [490.5, 0, 321.5, 0, 0, 495.25, 241.5, 0, 0, 0, 1, 0]}}
        return [yaml.safe_dump(content, sort_keys=False).encode()]

    def run(self, data):
        from espnet_ros.nodes.camera.calibration import read_calibration
        read_calibration(self.file(data))


class _Bags(Target):
    """Bags, read to their end and decoded."""

    def run(self, data):
        with open_bag(self.file(data)) as bag:
            for _ in bag:
                pass


class McapBags(_Bags):
    suffix = '.mcap'

    def inputs(self):
        source = bag_maker.make(self.folder / 'bag', 3)
        found = [bag_maker.only_file(source).read_bytes()]
        for compression in ('NONE', 'LZ4', 'ZSTD'):
            found.append(bag_maker.mcap_with(
                source, self.folder / (compression + '.mcap'), compression, chunk_size=3000).read_bytes())
        bomb = zstd.compress(bytes(1 << 29))
        with bag_maker.BagMaker(self.folder / 'bomb') as bag:
            bag.raw('/camera/image_raw', 'sensor_msgs/msg/Image', 10**9, bomb)
        return found + [bag_maker.only_file(self.folder / 'bomb').read_bytes()]


class SqliteBags(_Bags):
    suffix = '.db3'

    def inputs(self):
        return [bag_maker.only_file(bag_maker.make(self.folder / 'bag', 3, storage='sqlite3')).read_bytes()]


class Ros1Bags(_Bags):
    suffix = '.bag'

    def inputs(self):
        return [bag_maker.make(self.folder / ('a{}.bag'.format(i)), 3, ros1=compression).read_bytes()
                for i, compression in enumerate(('', 'BZ2', 'LZ4'))]


class CompressedBags(_Bags):
    suffix = '.mcap.zstd'

    def inputs(self):
        content = bag_maker.only_file(bag_maker.make(self.folder / 'bag', 3)).read_bytes()
        return [zstd.compress(content), zstd.compress(content[:5000]) + zstd.compress(content[5000:])]


class Metadata(Target):
    """metadata.yaml of a good bag."""

    def inputs(self):
        self.bag = bag_maker.make(self.folder / 'bag', 3)
        return [(self.bag / 'metadata.yaml').read_bytes()]

    def run(self, data):
        (self.bag / 'metadata.yaml').write_bytes(data)
        with open_bag(self.bag) as bag:
            bag_maker.check_frames(bag, range(3))


class Cdr(Target):
    """Serialized messages, as the middleware hands them to rclpy and as bags hold them; then decoded."""

    def inputs(self):
        from rclpy.serialization import serialize_message
        from sensor_msgs.msg import CameraInfo, CompressedImage, Image
        self.kinds = {'Image': Image, 'CompressedImage': CompressedImage, 'CameraInfo': CameraInfo}
        image = Image(width=53, height=37, encoding='bgr8', step=159, data=IMAGE.tobytes())
        picture = CompressedImage(format='png', data=cv2.imencode('.png', IMAGE)[1].tobytes())
        info = CameraInfo(width=53, height=37, distortion_model='plumb_bob', d=[0.0] * 5)
        self.names = ['Image', 'CompressedImage', 'CameraInfo']
        return [serialize_message(m) for m in (image, picture, info)]

    def case(self, rng):
        number = rng.randrange(len(self.corpus))
        return self.names[number], mutated(self.corpus[number], rng, self.corpus)

    def run(self, data):
        from rclpy.serialization import deserialize_message

        from espnet_ros.bags.library import SerdeError
        from espnet_ros.bags.salvage.base import Message
        from espnet_ros.bags.storage import deserialize
        from espnet_ros.nodes.common.messages import scale_camera_info
        name, content = data
        use = {'Image': image_to_bgr, 'CompressedImage': compressed_to_bgr,
               'CameraInfo': lambda m: scale_camera_info(m, 64, 32)}[name]
        refused = None
        try:
            if name != 'CameraInfo':
                use(deserialize(Message('/x', 'sensor_msgs/msg/' + name, 0, content)))
        except (SerdeError, EspnetError) as error:
            refused = EspnetError(str(error))
        try:
            message = deserialize_message(content, self.kinds[name])
        except Exception as error:  # rclpy's own: the middleware drops such a message
            raise EspnetError(str(error))
        use(message)
        if refused:
            raise refused


class CameraInfos(Target):
    """camera_info with every field made up, scaled to the outputs."""

    def inputs(self):
        return [b'']

    def case(self, rng):
        from sensor_msgs.msg import CameraInfo

        def number():
            return rng.choice((0.0, 1.0, -1.0, 1e308, -1e308, float('inf'), float('nan'), rng.uniform(-1e4, 1e4)))

        def whole():
            return rng.choice((0, 1, 640, 2**31, 2**32 - 1, rng.randrange(4000)))

        info = CameraInfo(width=whole(), height=whole(), binning_x=whole(), binning_y=whole())
        info.k, info.r, info.p = ([number() for _ in range(n)] for n in (9, 9, 12))
        info.d = [number() for _ in range(rng.choice((0, 4, 5, 8, 100)))]
        info.distortion_model = rng.choice(('', 'plumb_bob', 'equidistant', 'x' * 1000))
        for name in ('x_offset', 'y_offset', 'width', 'height'):
            setattr(info.roi, name, whole())
        return info, rng.choice((1, 64, 16384)), rng.choice((1, 64, 16384))

    def run(self, data):
        from espnet_ros.nodes.common.messages import scale_camera_info
        with np.errstate(all='ignore'):
            scale_camera_info(*data)


class Evaluations(Target):
    """The files of an evaluation, each as each."""

    files = 'progress.jsonl', 'frames.jsonl', 'metrics.json'

    def inputs(self):
        from evaluation_rig import finished_evaluation

        from espnet_ros.evaluation.journal import Journal
        finished_evaluation(self.folder / 'intact', 0.1, stamps=range(2))
        with Journal(self.folder / 'begun', {'a': 1}) as journal:
            journal.add_session({'seconds': 1.0})
        return [(self.folder / folder / name).read_bytes()
                for folder, name in zip(('begun', 'intact', 'intact'), self.files)]

    def run(self, data):
        from espnet_ros.evaluation.journal import Journal
        from espnet_ros.reports.compare import compare
        place, good = self.folder / 'case', self.folder / 'intact'
        problems = []
        for name in self.files:
            shutil.rmtree(place, ignore_errors=True)
            shutil.copytree(good if name != 'progress.jsonl' else self.folder / 'begun', place)
            (place / name).write_bytes(data)
            try:
                compare(place, good, draws=2) if name != 'progress.jsonl' else Journal(place, {'a': 1}).__exit__()
            except EspnetError as error:
                problems.append(error)
        if len(problems) == len(self.files):
            raise problems[-1]


TARGETS = {kind.__name__: kind for kind in (
    RawImages, CompressedImages, Cdr, CameraInfos, Pictures, Videos, Cards, LabelSets, Calibrations, SqliteBags,
    Ros1Bags, CompressedBags, Evaluations, Metadata, OnnxFiles, McapBags, Weights)}
"""By name; those whose cases take long come last, and get the time that the others leave."""


def rng_of(seed, target, number):
    """Return the random.Random of one case: the same on every machine."""
    return random.Random('{}:{}:{}'.format(seed, target, number))



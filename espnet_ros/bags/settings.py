"""How a bag is written."""
import typing

STORAGES = ('mcap', 'sqlite3')
COMPRESSIONS = ('none', 'chunk', 'message', 'file')
IMAGES = ('raw', 'png', 'jpeg')


class BagSettings(typing.NamedTuple):
    """How a bag is written.

    camera: namespace of the topics image_raw (image_raw/compressed), camera_info, ground_truth, ground_truth/label_map
    and, where the dataset has instances, ground_truth/instances. rate: Hz. images: one of IMAGES; JPEG of quality 95
    changes them. compression: one of COMPRESSIONS; chunk is for mcap only, None is chunk for mcap and none for sqlite3.
    """

    camera: str = '/camera'
    frame_id: str = 'camera'
    rate: float = 10.0
    images: str = 'raw'
    storage: str = 'mcap'
    compression: str | None = None

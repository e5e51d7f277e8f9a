"""The segmentation node's parameters, their defaults and their rules."""
import re
import typing

from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.errors import ParameterError
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.limits import DECODE_SECONDS
from espnet_ros.models import DEFAULT
from espnet_ros.nodes.common.parameters import Rule
from espnet_ros.segmenter import OUTPUT_SIZES

MOST_CAMERAS = 16


class SegmentationParameters(typing.NamedTuple):
    """Parameters of the segmentation node with their defaults."""

    model: str = DEFAULT
    backend: str = 'auto'
    device: str = 'auto'
    precision: str = 'auto'
    engine_cache_dir: str = ''
    input_width: int = 0
    input_height: int = 0
    output_size: str = 'camera'
    output_width: int = 0
    output_height: int = 0
    palette: str = 'own'
    cameras: typing.Tuple[str, ...] = ()
    camera_priorities: typing.Tuple[int, ...] = ()
    camera_rates: typing.Tuple[float, ...] = ()
    image_transport: str = 'raw'
    image_reliability: str = 'auto'
    refuse_damaged: bool = False
    max_decode_time: float = DECODE_SECONDS
    autostart: bool = True
    overlay_alpha: float = 0.5
    confidence_threshold: float = 0.0
    max_rate: float = 0.0
    min_input_rate: float = 0.0
    max_latency: float = 0.0
    jpeg_quality: int = 90
    label_info_period: float = 0.0


SEGMENTATION_RULES = {
    'model': Rule('Model name (espnet-ros models list), model card (.yaml) or weights file (.pth).', fixed=True),
    'backend': Rule('Inference engine; auto selects the fastest that works on this machine.', choices=BACKENDS,
                    fixed=True),
    'device': Rule('Device that runs the network.', choices=('auto', 'cpu', 'cuda', 'cuda:N'), fixed=True),
    'precision': Rule('Number format of the network; auto selects the fastest that keeps the labels.',
                      choices=PRECISIONS, fixed=True),
    'engine_cache_dir': Rule('Folder for built engines (TensorRT); empty: the user\'s cache folder.', fixed=True),
    'input_width': Rule('Network input width in pixels, a multiple of 8, any for ONNX networks; 0: as in the card.',
                        0, 4096, fixed=True),
    'input_height': Rule('Network input height in pixels, a multiple of 8, any for ONNX networks; 0: as in the card.',
                         0, 4096, fixed=True),
    'output_size': Rule('Resolution of all outputs: that of the camera or of the network.', choices=OUTPUT_SIZES,
                        fixed=True),
    'output_width': Rule('Width of all outputs in pixels, such as 400 for a costmap; 0: by output_size.', 0, 4096,
                         fixed=True),
    'output_height': Rule('Height of all outputs in pixels; 0: by output_size.', 0, 4096, fixed=True),
    'palette': Rule('Colors of the classes: own as in the model card, color-blind for all kinds of color vision.',
                    choices=tuple(PALETTES), fixed=True),
    'cameras': Rule('Names of several cameras for one engine, as in [front, left]: images from `front/image_raw`, '
                    'outputs on `~/front/...`; empty: one camera on `image`.', fixed=True, items=str),
    'camera_priorities': Rule('One for each of `cameras`: how much its waiting time counts when several wait; empty: '
                              'all 1.', 1, 10, fixed=True, items=int),
    'camera_rates': Rule('Maximum output rate in Hz, one for each of `cameras`; 0: max_rate alone; empty: all 0.',
                         0, 1000, fixed=True, items=float),
    'image_transport': Rule('raw subscribes to `image`, compressed to `image/compressed`.',
                            choices=('raw', 'compressed'), fixed=True),
    'image_reliability': Rule('Reliability of the image subscription; auto: reliable where the camera offers it.',
                              choices=('auto', 'best_effort', 'reliable'), fixed=True),
    'refuse_damaged': Rule('Refuse compressed images that are damaged and can be decoded in part; false: use them and '
                           'warn.'),
    'max_decode_time': Rule('A compressed image that takes its decoder longer, in seconds, is refused, and the next '
                            'one is taken; 0: never. Bounds of size and memory are in espnet_ros/limits.py.', 0, 60),
    'autostart': Rule('Configure and activate at start; false: a lifecycle manager does that.', fixed=True),
    'overlay_alpha': Rule('Opacity of the colors in the overlay; 0: the image alone, 1: the colors alone.', 0, 1),
    'confidence_threshold': Rule('Pixels with a lower confidence become unlabeled (255); 0: none.', 0, 1),
    'max_rate': Rule('Maximum output rate of each camera in Hz; 0: no limit.', 0, 1000),
    'min_input_rate': Rule('Diagnostics warns when images arrive at a lower rate, in Hz; 0: never.', 0, 1000),
    'max_latency': Rule('Diagnostics warns when the 95th percentile of the latency from stamp to output is higher, in '
                        'seconds; 0: never.', 0, 60),
    'jpeg_quality': Rule('JPEG quality of ~/overlay/compressed.', 1, 100),
    'label_info_period': Rule('Seconds after which ~/label_map and ~/label_info are published again, for bags that are '
                              'split; 0: once.', 0, 3600),
}


def check_cameras(values):
    """Raise ParameterError when `cameras` of SegmentationParameters and what belongs to them do not go together."""
    if len(values.cameras) > MOST_CAMERAS:
        raise ParameterError('parameter cameras has {} names; it must have {} or fewer'.format(
            len(values.cameras), MOST_CAMERAS))
    for number, name in enumerate(values.cameras):
        if not re.match(r'[A-Za-z](_?[A-Za-z0-9])*\Z', name) or len(name) > 64:
            raise ParameterError('parameter cameras has the name {!r}; a name begins with a letter and has letters, '
                                 'digits and single underscores only, at most 64 of them'.format(name[:80]))
        if name in values.cameras[:number]:
            raise ParameterError('parameter cameras names {} twice; every camera needs a name of its own'.format(name))
    for name in ('camera_priorities', 'camera_rates'):
        if len(getattr(values, name)) not in (0, len(values.cameras)):
            raise ParameterError('parameter {} has {} values for {} cameras; give one for each of them, or none'.format(
                name, len(getattr(values, name)), len(values.cameras)))

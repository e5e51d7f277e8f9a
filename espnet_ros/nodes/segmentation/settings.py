"""The segmentation node's parameters, their defaults and their rules."""
import typing

from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.labels.palettes import PALETTES
from espnet_ros.models import DEFAULT
from espnet_ros.nodes.common.parameters import Rule
from espnet_ros.segmenter import OUTPUT_SIZES


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
    palette: str = 'own'
    image_transport: str = 'raw'
    image_reliability: str = 'auto'
    autostart: bool = True
    overlay_alpha: float = 0.5
    confidence_threshold: float = 0.0
    max_rate: float = 0.0
    min_input_rate: float = 0.0
    max_latency: float = 0.0
    jpeg_quality: int = 90


SEGMENTATION_RULES = {
    'model': Rule('Model name (espnet-ros models list), model card (.yaml) or weights file (.pth).', fixed=True),
    'backend': Rule('Inference engine; auto selects the fastest that works on this machine.', choices=BACKENDS,
                    fixed=True),
    'device': Rule('Device that runs the network.', choices=('auto', 'cpu', 'cuda', 'cuda:N'), fixed=True),
    'precision': Rule('Number format of the network; auto selects the fastest that keeps the labels.',
                      choices=PRECISIONS, fixed=True),
    'engine_cache_dir': Rule('Folder for built engines (TensorRT); empty: the user\'s cache folder.', fixed=True),
    'input_width': Rule('Network input width in pixels, a multiple of 8; 0: as in the model card.', 0, 4096,
                        fixed=True),
    'input_height': Rule('Network input height in pixels, a multiple of 8; 0: as in the model card.', 0, 4096,
                         fixed=True),
    'output_size': Rule('Resolution of all outputs: that of the camera or of the network.', choices=OUTPUT_SIZES,
                        fixed=True),
    'palette': Rule('Colors of the classes: own as in the model card, color-blind for all kinds of color vision.',
                    choices=tuple(PALETTES), fixed=True),
    'image_transport': Rule('raw subscribes to `image`, compressed to `image/compressed`.',
                            choices=('raw', 'compressed'), fixed=True),
    'image_reliability': Rule('Reliability of the image subscription; auto: reliable where the camera offers it.',
                              choices=('auto', 'best_effort', 'reliable'), fixed=True),
    'autostart': Rule('Configure and activate at start; false: a lifecycle manager does that.', fixed=True),
    'overlay_alpha': Rule('Opacity of the colors in the overlay; 0: the image alone, 1: the colors alone.', 0, 1),
    'confidence_threshold': Rule('Pixels with a lower confidence become unlabeled (255); 0: none.', 0, 1),
    'max_rate': Rule('Maximum output rate in Hz; 0: no limit.', 0, 1000),
    'min_input_rate': Rule('Diagnostics warns when images arrive at a lower rate, in Hz; 0: never.', 0, 1000),
    'max_latency': Rule('Diagnostics warns when the 95th percentile of the latency from stamp to output is higher, in '
                        'seconds; 0: never.', 0, 60),
    'jpeg_quality': Rule('JPEG quality of ~/overlay/compressed.', 1, 100),
}

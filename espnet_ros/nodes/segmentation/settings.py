"""The segmentation node's parameters, their defaults and their rules."""
import typing

from espnet_ros.engine import BACKENDS, PRECISIONS
from espnet_ros.models import DEFAULT
from espnet_ros.nodes.common.parameters import Rule
from espnet_ros.segmenter import OUTPUT_SIZES


class SegmentationParameters(typing.NamedTuple):
    """Settings of the segmentation node; the defaults stand here alone."""

    model: str = DEFAULT
    backend: str = 'auto'
    device: str = 'auto'
    precision: str = 'auto'
    engine_cache_dir: str = ''
    input_width: int = 0
    input_height: int = 0
    output_size: str = 'camera'
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
    'model': Rule('Model name, model card (.yaml) or weights file (.pth).', fixed=True),
    'backend': Rule('What executes the network; auto picks the best that works here.', choices=BACKENDS, fixed=True),
    'device': Rule('Where it runs.', choices=('auto', 'cpu', 'cuda', 'cuda:N'), fixed=True),
    'precision': Rule('Number format of the network; auto is the fastest that keeps the labels here.',
                      choices=PRECISIONS, fixed=True),
    'engine_cache_dir': Rule('Folder for engines that take long to build (TensorRT); empty is the user\'s cache.',
                             fixed=True),
    'input_width': Rule('Network input width in pixels, a multiple of 8; 0 is the model\'s own.', 0, 4096, fixed=True),
    'input_height': Rule('Network input height in pixels, a multiple of 8; 0 is the model\'s own.', 0, 4096,
                         fixed=True),
    'output_size': Rule('Resolution of all outputs: the camera\'s or the network\'s.', choices=OUTPUT_SIZES,
                        fixed=True),
    'image_transport': Rule('raw reads `image`, compressed reads `image/compressed`.', choices=('raw', 'compressed'),
                            fixed=True),
    'image_reliability': Rule('Reliability asked of the camera; auto is reliable where the camera offers it.',
                              choices=('auto', 'best_effort', 'reliable'), fixed=True),
    'autostart': Rule('Configure and activate at start; false leaves that to a lifecycle manager.', fixed=True),
    'overlay_alpha': Rule('Weight of the colors in the overlay: 0 shows the image alone, 1 the colors.', 0, 1),
    'confidence_threshold': Rule('Pixels with a confidence below this become unlabeled (255).', 0, 1),
    'max_rate': Rule('Highest output rate in Hz; 0 is as fast as it goes.', 0, 1000),
    'min_input_rate': Rule('Diagnostics warns when images come slower than this, in Hz; 0 never warns.', 0, 1000),
    'max_latency': Rule('Diagnostics warns when the 95th percentile from stamp to output exceeds this, in s; 0 never.',
                        0, 60),
    'jpeg_quality': Rule('Quality of the compressed overlay.', 1, 100),
}

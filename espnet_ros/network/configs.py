"""Configurations of the network families, without PyTorch, which takes seconds to import."""
import importlib
import typing

from espnet_ros.network.family import CLASSES, Family

VARIANTS = ('espnet-a', 'espnet-b', 'espnet-c', 'espnet')
DOWNSAMPLING = ('esp', 'conv')
ENET_LAYOUTS = ('paper', 'pytorch-enet')
BLOCKS = ('esp', 'mobilenet', 'shufflenet', 'inception', 'resnext', 'resnet')


class NetworkConfig(typing.NamedTuple):
    """Everything that decides a network's shape; the defaults are the paper's ESPNet for Cityscapes.

    variant: one of VARIANTS. classes: output channels, background included where there is one. alpha2, alpha3: how
    often the ESP module repeats at levels 2 and 3. width_divider: K. The switches below are those of Table 2:
    activation 'prelu' or 'relu' (2a), residual (2b), downsampling 'esp' or 'conv' (2c), reduce_kernel 1 or 3 and
    dilated (2d). fuse_input: the decoder's last merge also sees the reduced input image, as in the authors' CamVid
    model. hff: hierarchical feature fusion (Fig. 1b). stride_divider: K of the strided ESP modules, 0 for
    width_divider; Table 2e keeps it at 5. input_fusion: ESPNet-C with input-aware fusion in place of input
    reinforcement (2f). block: one of BLOCKS, the module that repeats at levels 2 and 3 (Fig. 5).
    """

    variant: str = 'espnet'
    classes: int = 20
    alpha2: int = 2
    alpha3: int = 8
    width_divider: int = 5
    activation: str = 'prelu'
    residual: bool = True
    downsampling: str = 'esp'
    reduce_kernel: int = 1
    dilated: bool = True
    fuse_input: bool = False
    hff: bool = True
    stride_divider: int = 0
    input_fusion: bool = False
    block: str = 'esp'

    family = 'espnet'

    @property
    def stride(self):
        """Input pixels per output pixel, along each side."""
        return 1 if self.variant == 'espnet' else 8


class ENetConfig(typing.NamedTuple):
    """Configuration of ENet. classes: output channels. layout: one of ENET_LAYOUTS: of its paper, or that of the public
    implementation PyTorch-ENet (https://github.com/davidtvs/PyTorch-ENet), which takes its weights.
    """

    classes: int = 20
    layout: str = 'paper'

    family = 'enet'
    stride = 1


class ERFNetConfig(typing.NamedTuple):
    """Configuration of ERFNet. classes: output channels. encoder_only: logits of the encoder's own head at 1/8, with
    which its paper trains the encoder first.
    """

    classes: int = 20
    encoder_only: bool = False

    family = 'erfnet'

    @property
    def stride(self):
        """Input pixels per output pixel, along each side."""
        return 8 if self.encoder_only else 1


class SQNetConfig(typing.NamedTuple):
    """Configuration of SQNet. classes: output channels."""

    classes: int = 20

    family = 'sqnet'
    stride = 1


class SegNetConfig(typing.NamedTuple):
    """Configuration of SegNet. classes: output channels."""

    classes: int = 20

    family = 'segnet'
    stride = 1


class DeepLabConfig(typing.NamedTuple):
    """Configuration of DeepLab-v2. classes: output channels."""

    classes: int = 20

    family = 'deeplab-v2'
    stride = 8


class PSPNetConfig(typing.NamedTuple):
    """Configuration of PSPNet. classes: output channels."""

    classes: int = 20

    family = 'pspnet'
    stride = 8


class FCNConfig(typing.NamedTuple):
    """Configuration of FCN-8s. classes: output channels."""

    classes: int = 20

    family = 'fcn8s'
    stride = 1


class WholeSlideConfig(typing.NamedTuple):
    """Configuration of the network for whole-slide images. classes: output channels, 8 for the tissues of its paper."""

    classes: int = 20

    family = 'espnet-wsi'
    stride = 2


def _lazy(module, name):
    """Return a function that calls a function or class of a module, which it imports then."""
    def build(config):
        return getattr(importlib.import_module('espnet_ros.network.' + module), name)(config)
    return build


FAMILIES: typing.Dict[str, Family] = {family.name: family for family in (
    Family('espnet', 'ESPNet', NetworkConfig, _lazy('espnet', 'build'), {
        'variant': VARIANTS, 'classes': CLASSES, 'alpha2': range(1, 65), 'alpha3': range(1, 65),
        'width_divider': range(2, 9), 'activation': ('prelu', 'relu'), 'residual': (False, True),
        'downsampling': DOWNSAMPLING, 'reduce_kernel': (1, 3), 'dilated': (False, True), 'fuse_input': (False, True),
        'hff': (False, True), 'stride_divider': (0,) + tuple(range(2, 9)), 'input_fusion': (False, True),
        'block': BLOCKS},
        'Mehta et al., ESPNet: Efficient Spatial Pyramid of Dilated Convolutions for Semantic Segmentation, ECCV 2018'),
    Family('enet', 'ENet', ENetConfig, _lazy('enet', 'ENet'), {
        'classes': CLASSES, 'layout': ENET_LAYOUTS},
           'Paszke et al., ENet: A Deep Neural Network Architecture for Real-Time Semantic Segmentation, 2016'),
    Family('erfnet', 'ERFNet', ERFNetConfig, _lazy('erfnet', 'ERFNet'), {
        'classes': CLASSES, 'encoder_only': (False, True)},
        'Romera et al., ERFNet: Efficient Residual Factorized ConvNet for Real-time Semantic Segmentation, '
        'IEEE Transactions on Intelligent Transportation Systems, 2017'),
    Family('sqnet', 'SQNet', SQNetConfig, _lazy('sqnet', 'SQNet'), {'classes': CLASSES},
           'Treml et al., Speeding up Semantic Segmentation for Autonomous Driving, MLITS at NIPS 2016'),
    Family('segnet', 'SegNet', SegNetConfig, _lazy('segnet', 'SegNet'), {'classes': CLASSES},
           'Badrinarayanan et al., SegNet: A Deep Convolutional Encoder-Decoder Architecture for Image '
           'Segmentation, IEEE Transactions on Pattern Analysis and Machine Intelligence, 2017'),
    Family('deeplab-v2', 'DeepLab-v2', DeepLabConfig, _lazy('deeplab', 'DeepLab'), {'classes': CLASSES},
           'Chen et al., DeepLab: Semantic Image Segmentation with Deep Convolutional Nets, Atrous Convolution, '
           'and Fully Connected CRFs, IEEE Transactions on Pattern Analysis and Machine Intelligence, 2018'),
    Family('pspnet', 'PSPNet', PSPNetConfig, _lazy('pspnet', 'PSPNet'), {'classes': CLASSES},
           'Zhao et al., Pyramid Scene Parsing Network, CVPR 2017'),
    Family('fcn8s', 'FCN-8s', FCNConfig, _lazy('fcn', 'FCN8s'), {'classes': CLASSES},
           'Long et al., Fully Convolutional Networks for Semantic Segmentation, CVPR 2015'),
    Family('espnet-wsi', 'ESPNet-WSI', WholeSlideConfig, _lazy('wsi', 'WholeSlideNet'), {'classes': CLASSES},
           'Mehta et al., Learning to Segment Breast Biopsy Whole Slide Images, WACV 2018, with the ESP modules of '
           'Y-Net, MICCAI 2018'),
)}
"""Families by name. A new one is a file of modules, and here its configuration and an entry."""

"""The inference form equals its parts, one after the other."""
import numpy as np
import pytest
import torch
from small_models import CARD, CONFIG, network
from torch.nn import functional

from espnet_ros.deploy.deploy import Deployed, deploy
from espnet_ros.deploy.folding import fold


def image(height=64, width=96, seed=0):
    return torch.from_numpy(np.random.RandomState(seed).randint(0, 256, (1, 3, height, width)).astype(np.uint8))


def plain_logits(net, card, pixels):
    """(x - mean) / std / divisor in float64, then the network, upsampled where it answers at 1/8."""
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (card.mean, card.std))
    logits = net(((pixels.double() - mean) / std / card.divisor).float())
    return functional.interpolate(logits, size=pixels.shape[2:], mode='bilinear', align_corners=False)


@pytest.mark.parametrize('variant', ['espnet', 'espnet-c', 'espnet-a'])
def test_deployed_equals_normalizing_running_and_taking_the_best(variant):
    net, pixels = network(CONFIG._replace(variant=variant)), image()
    deployed = Deployed(net, CARD).eval()
    with torch.no_grad():
        expected = plain_logits(net, CARD, pixels)
        assert torch.allclose(deployed.logits(pixels), expected, atol=1e-4)
        labels, confidence = deployed(pixels, True)
        index, probability = expected.argmax(1), expected.softmax(1).max(1)[0]
        second = expected.topk(2, 1)[0]
        clear = second[:, 0] - second[:, 1] > 1e-3
        assert clear.float().mean() > 0.99
        assert torch.equal(labels[clear], torch.tensor(CARD.outputs, dtype=torch.uint8)[index][clear])
        assert (confidence.float() - 255 * probability).abs().max() <= 0.51
    assert labels.dtype == confidence.dtype == torch.uint8
    assert labels.shape == confidence.shape == (1, 64, 96)
    assert set(labels.unique().tolist()) <= set(CARD.outputs)


class Fixed(torch.nn.Module):
    """A network that answers with given logits, and keeps what it was asked."""

    def __init__(self, logits):
        super().__init__()
        self.values = torch.nn.Parameter(logits)

    def forward(self, x):
        self.seen = x
        return self.values


def test_outputs_map_to_ids_and_confidence_is_the_rounded_softmax():
    logits = torch.full((1, 4, 8, 8), -20.0)
    logits[0, 0, 0] = 0.0  # one output alone
    logits[0, 1:3, 1] = 0.0  # a tie of two: the first wins
    logits[0, :, 2] = 3.0  # a tie of four
    logits[0, 2, 3:] = 0.0
    logits[0, 3, 3:] = float(np.log(1 / 3))  # 3 to 1
    with torch.no_grad():
        labels, confidence = Deployed(Fixed(logits), CARD)(image(8, 8), True)
    assert labels[0, :4, 5].tolist() == [5, 2, 5, 255]
    assert confidence[0, :4, 5].tolist() == [255, 128, 64, 191]


def test_confidence_is_none_unless_asked_for():
    with torch.no_grad():
        assert Deployed(Fixed(torch.zeros(1, 4, 8, 8)), CARD)(image(8, 8))[1] is None


def test_normalization_is_per_channel_in_blue_green_red_order():
    fixed = Fixed(torch.zeros(1, 4, 8, 8))
    with torch.no_grad():
        Deployed(fixed, CARD)(torch.tensor([72, 83, 255], dtype=torch.uint8).view(1, 3, 1, 1).expand(1, 3, 8, 8))
    seen = fixed.seen[0, :, 0, 0].tolist()
    assert seen == pytest.approx([0.0, 0.0, (255 - 73.5) / 44.5 / 2.0], abs=1e-6)


def test_bytes_and_floats_of_the_same_value_give_the_same():
    deployed = Deployed(network(), CARD).eval()
    with torch.no_grad():
        assert torch.equal(deployed.logits(image()), deployed.logits(image().float()))


def test_answers_at_an_eighth_are_upsampled_bilinearly():
    logits = torch.zeros(1, 4, 1, 2)
    logits[0, 0, 0] = torch.tensor([0.0, 8.0])
    with torch.no_grad():
        up = Deployed(Fixed(logits), CARD).logits(image(8, 16))
    # Half-pixel centers: the values stand at 3.5 and 11.5.
    expected = np.interp(np.arange(16), [3.5, 11.5], [0.0, 8.0])
    assert up.shape == (1, 4, 8, 16)
    assert np.allclose(up[0, 0].numpy(), expected, atol=1e-6)


def test_a_network_in_half_precision_gets_an_image_normalized_in_float32():
    fixed = Fixed(torch.zeros(1, 4, 8, 8).bfloat16())
    with torch.no_grad():
        Deployed(fixed, CARD)(torch.full((1, 3, 8, 8), 73.5))
    assert fixed.seen.dtype == torch.bfloat16
    assert fixed.seen[0, 2].abs().max() == 0  # (73.5 - 73.5); 73.5 / 89 in bfloat16 would be off by 0.002
    assert fixed.seen[0, 0, 0, 0].item() == pytest.approx(1.5 / 90, rel=0.004)


@pytest.mark.parametrize('tiled', [False, True])
@pytest.mark.parametrize('variant, fuse_input, activation', [
    ('espnet', False, 'prelu'), ('espnet', True, 'relu'), ('espnet-c', False, 'prelu'), ('espnet-a', False, 'relu')])
def test_the_fast_form_equals_the_plain_one(variant, fuse_input, activation, tiled):
    net = network(CONFIG._replace(variant=variant, fuse_input=fuse_input, activation=activation))
    pixels = torch.cat([image(120, 200, seed) for seed in (1, 2)])  # several tiles, the last one of another height
    plain, fast = Deployed(net, CARD).eval(), deploy(net, CARD, tiled)
    with torch.no_grad():
        expected = plain.logits(pixels)
        assert torch.allclose(fast.logits(pixels), expected, atol=1e-3 * expected.abs().max().item())
        labels, confidence = fast(pixels, True)
        wanted, probability = plain(pixels, True)
        assert torch.equal(fast(pixels)[0], labels) and fast(pixels)[1] is None
    assert labels.shape == confidence.shape == wanted.shape and labels.dtype == confidence.dtype == torch.uint8
    assert (labels == wanted).float().mean() > 0.999
    assert (confidence.int() - probability.int()).abs().max() <= 1


def test_folding_leaves_no_batch_norm_after_a_convolution_and_the_network_as_it_was():
    net = network()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    names = {name for name, module in deploy(net, CARD).network.named_modules()
             if isinstance(module, torch.nn.BatchNorm2d)}
    assert names and all('.post.norm' in name or name.split('.')[-2] in ('norm1', 'norm2', 'norm3') for name in names)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_batch_normalization_behind_a_convolution_is_folded_in_any_network():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.BatchNorm2d(8),
        torch.nn.ConvTranspose2d(8, 6, 2, stride=2, groups=1), torch.nn.BatchNorm2d(6),
        torch.nn.ConvTranspose2d(6, 6, 2, stride=2, groups=3), torch.nn.BatchNorm2d(6))
    for module in network:
        if isinstance(module, torch.nn.BatchNorm2d):
            for value in (module.weight, module.bias, module.running_mean, module.running_var):
                torch.nn.init.uniform_(value, 0.5, 2.0)
    folded = fold(network)
    kinds = [type(module).__name__ for module in folded]
    assert [i for i, kind in enumerate(kinds) if kind == 'Identity'] == [1, 5]  # 3 has no convolution, 7 a grouped one
    x = torch.randn(1, 3, 17, 17)
    with torch.no_grad():
        assert torch.allclose(folded(x), network.eval()(x), atol=1e-4)

"""Weights that fit and compute nonsense are refused when they are loaded."""
import pytest
import torch
from small_models import CONFIG, network

from espnet_ros.errors import ModelError
from espnet_ros.models.checkpoint import load_network, write_weights


@pytest.mark.parametrize('change, words', [
    (lambda key, value: -value if key.endswith('running_var') else value, 'hold a negative variance in '),
    (lambda key, value: torch.full_like(value, 3e38) if value.dim() == 4 else value, 'compute NaN or infinity; fetch')])
def test_weights_that_compute_nonsense_are_refused(tmp_path, change, words):
    net = network()
    net.load_state_dict({key: change(key, value) for key, value in net.state_dict().items()})
    write_weights(net, tmp_path / 'x.pth')
    with pytest.raises(ModelError, match="the weights '.*x.pth' " + words):
        load_network(CONFIG, tmp_path / 'x.pth')


@pytest.mark.parametrize('value', [torch.zeros(2), torch.full((2,), float('nan'))])
def test_names_in_a_weights_file_reach_no_terminal_as_they_are(tmp_path, value):
    torch.save({'a\nb\x1b[2J': value}, str(tmp_path / 'x.pth'))
    with pytest.raises(ModelError) as caught:
        load_network(CONFIG, tmp_path / 'x.pth')
    assert str(caught.value).isprintable() and 'a b?[2J' in str(caught.value)

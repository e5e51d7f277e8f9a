"""`make gpu`: what it runs is understood by the commands, and without a GPU it says so."""
import argparse
import importlib
import pathlib
import sys

import gpu_list
import pytest
import torch


@pytest.mark.parametrize('device', ['cuda', 'cpu'])
def test_each_step_is_a_command_that_exists(device, monkeypatch):
    monkeypatch.setattr(gpu_list.importlib.util, 'find_spec', lambda name: True)
    names = []
    for name, (module, *words) in gpu_list.steps(device, pathlib.Path('out'), '/camvid', 2):
        names.append(name)
        if module == 'pytest':
            assert all(pathlib.Path(__file__).parent.parent.joinpath(word).is_dir()
                       for word in words if word.startswith('test/'))
            continue
        assert module == 'espnet_ros.cli'
        parser = argparse.ArgumentParser()
        importlib.import_module('espnet_ros.cli.' + words[0]).add_arguments(parser)
        assert getattr(parser.parse_args(words[1:]), 'device', device) == device
    assert names[:4] == ['tests', 'torch', 'cameras', 'profile']
    assert ('tensorrt int8' in names, 'train' in names) == (device == 'cuda',) * 2


def test_without_a_gpu_nothing_is_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    monkeypatch.setattr(sys, 'argv', ['gpu_list.py', '--out', str(tmp_path / 'gpu')])
    assert gpu_list.main() == 1
    assert capsys.readouterr().err.startswith('there is no NVIDIA GPU that PyTorch')
    assert not (tmp_path / 'gpu').exists()


def test_a_step_that_fails_does_not_stop_the_next(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, 'argv', ['gpu_list.py', '--device', 'cpu', '--out', str(tmp_path)])
    monkeypatch.setattr(gpu_list, 'steps', lambda *_: [('one', ['nothing']), ('two', ['this'])])
    codes = iter([3, 0])
    monkeypatch.setattr(gpu_list.subprocess, 'run', lambda *_, **__: argparse.Namespace(returncode=next(codes)))
    assert gpu_list.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert 'failed (3)' in lines[0] and 'done' in lines[1]

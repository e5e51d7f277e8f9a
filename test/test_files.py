"""Files: nothing but files is replaced, nothing but bounded files is read."""
import os

import pytest

from espnet_ros.cli.files import replacing
from espnet_ros.errors import ModelError, ParameterError, printable
from espnet_ros.files import parse_yaml, read_bytes, read_yaml, write_file


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / 'a'
    for content in (b'1', b'22'):
        write_file(path, content)
        assert path.read_bytes() == content
    assert os.listdir(str(tmp_path)) == ['a']


@pytest.mark.parametrize('kind', ['pipe', 'folder', 'link to a pipe', 'device'])
def test_what_is_no_file_is_not_replaced(tmp_path, kind):
    path = tmp_path / 'a'
    if kind == 'folder':
        path.mkdir()
    elif kind == 'device':
        path = '/dev/null'
    else:
        os.mkfifo(str(tmp_path / ('b' if kind.startswith('link') else 'a')))
    if kind.startswith('link'):
        path.symlink_to(tmp_path / 'b')
    before = os.lstat(str(path))
    with pytest.raises(ModelError, match="cannot write '.*': it exists and is not a regular file"):
        write_file(path, b'1')
    if kind != 'device':
        with pytest.raises(ParameterError, match="cannot write '.*': it exists and is not a regular file"):
            with replacing(path) as temporary:
                temporary.write_bytes(b'1')
    after = os.lstat(str(path))
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)
    assert kind == 'device' or not [name for name in os.listdir(str(tmp_path)) if name not in 'ab']


def test_yaml_in_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(str(tmp_path / 'a'))
    with pytest.raises(ModelError, match='it is not a regular file'):
        read_yaml(tmp_path / 'a', 'the card', ModelError)


def test_reading_is_bounded(tmp_path):
    path = tmp_path / 'a'
    path.write_bytes(b'12345')
    assert read_bytes(path, 5) == b'12345'
    with pytest.raises(OSError, match='it has more than 4 bytes'):
        read_bytes(path, 4)
    with pytest.raises(OSError, match='it is not a regular file'):
        read_bytes(tmp_path, 4)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / 'b', 4)


@pytest.mark.parametrize('text', [
    'a: &x [1]\nb: *x\n', 'a: [', '!!python/object:os.system {}', '2001-99-99', '- !!int x'])
def test_yaml_that_is_not_plain_is_refused(text):
    with pytest.raises(ValueError):
        parse_yaml(text)


def test_control_characters_are_not_printed():
    assert printable('a\x1b[2J\x07b\n c\u202e') == 'a?[2J?b c?'

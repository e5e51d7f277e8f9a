"""espnet-ros predict on addresses of cameras and pictures in the network."""
import base64
import http.server
import json
import pathlib
import threading

import numpy as np
import pytest
from picture_files import picture, read, write

from espnet_ros.cli import main
from espnet_ros.cli.predict import jobs_for
from espnet_ros.errors import SourceError
from espnet_ros.images.pictures import read_image_at


@pytest.mark.parametrize('address, stem, is_image', [
    ('0', 'camera0', False), ('/dev/video2', 'video2', False), ('rtsp://me:secret@host/front?key=x', 'front', False),
    ('http://host/a/b.jpg?key=x', 'b', True), ('rtsp://me:secret@host', 'host', False),
    ('https://host/%2e%2e/..', 'stream', False)])
def test_names_of_cameras_and_addresses(address, stem, is_image):
    (job,), problems = jobs_for([address], pathlib.Path('out'))
    assert (job.target, job.is_image, problems) == (pathlib.Path('out') / stem, is_image, [])


@pytest.fixture
def server():
    """The address of a server of the working directory."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Say nothing."""
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Quiet) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield 'http://127.0.0.1:{}'.format(served.server_port)
        served.shutdown()


def test_a_picture_from_the_network(tiny, segment, server, capsys):
    write(pathlib.Path('x.png'), picture())
    pathlib.Path('text.png').write_text('no image')
    assert main(['predict', server + '/x.png?token=secret', server + '/text.png', server + '/none.png', '--json',
                 '--model', tiny]) == 1
    np.testing.assert_array_equal(read('predictions/x_labels.png'), segment(picture()))
    out, err = capsys.readouterr()
    assert json.loads(out)['input'] == server + '/x.png?...' and 'secret' not in err
    lines = err.splitlines()
    assert 'text.png (8 bytes) is not an image' in lines[0] and 'none.png: File not found; look at' in lines[1]


def test_a_password_is_sent_and_not_told(server, monkeypatch):
    handler, heard = http.server.SimpleHTTPRequestHandler, []
    answer = handler.do_GET

    def listen(self):
        heard.append(self.headers['Authorization'])
        answer(self)
    monkeypatch.setattr(handler, 'do_GET', listen)
    write(pathlib.Path('x.png'), picture())
    address = server.replace('//', '//me:s%40cret@')
    np.testing.assert_array_equal(read_image_at(address + '/x.png'), picture())
    assert base64.b64decode(heard[0].partition(' ')[2]) == b'me:s@cret'
    with pytest.raises(SourceError) as found:
        read_image_at('http://me:s%40cret@127.0.0.1:x/x.png')
    assert 'cret' not in str(found.value)
    with pytest.raises(SourceError, match='Connection refused; look at the address in a browser on this machine'):
        read_image_at('http://127.0.0.1:9/x.png')

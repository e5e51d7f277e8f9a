"""The live page in a real browser: what it draws, how it follows, how it stands on a phone."""
import threading

import cv2
import numpy as np
import pytest

from espnet_ros.view.frames import OUTPUTS, FrameStore
from espnet_ros.view.server import PageServer

STATE = {
    'node': '/espnet', 'state': 'OK', 'level': 'OK', 'engine': 'ready, openvino', 'rate': '9.50', 'age': '20 / 30',
    'answered': 7, 'dropped': 2, 'lost': 0, 'outputs': OUTPUTS, 'legend': [['road', [128, 64, 128]]],
    'stages': [['inference', '8.0', '9.0', '9.5']], 'machine': [['CPU', '99%', 'WARN']],
    'warnings': [['WARN', '<b>hot</b>; cool the machine']]}


def jpeg(red, green, blue):
    return cv2.imencode('.jpg', np.full((48, 64, 3), (blue, green, red), np.uint8))[1].tobytes()


class Feeder:
    """Puts frames until it is closed: the camera is red, the overlay green, the mask blue."""

    def __init__(self, store):
        self._store = store
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._feed)
        self._thread.start()

    def _feed(self):
        number = 0
        while not self._closing.wait(0.02):
            number += 1
            self._store.put('overlay', number, jpeg(200, 0, 0), jpeg(0, 200, 0))
            self._store.put('mask/human', number, b'', jpeg(0, 0, 200))

    def close(self):
        self._closing.set()
        self._thread.join()


@pytest.fixture
def server():
    store = FrameStore()
    with PageServer(store, lambda: STATE, port=0) as running:
        feeder = Feeder(store)
        yield running
        feeder.close()


@pytest.fixture
def opened(browser, server):
    """Function opened(width, scheme) -> page that has drawn some frames; errors of the page fail the test."""
    contexts, errors = [], []

    def opened(width=1280, scheme='light'):
        contexts.append(browser.new_context(viewport={'width': width, 'height': 844}, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on('console', lambda message: errors.append(message.text))
        page.on('pageerror', lambda error: errors.append(str(error)))
        page.goto(server.address)
        frames(page, 3)
        return page
    yield opened
    for context in contexts:
        context.close()
    assert errors == []


def frames(page, more):
    """Wait until the page has drawn that many more frames."""
    def drawn():
        return page.evaluate('Number(document.body.dataset.frames || 0)')
    goal = drawn() + more
    for _ in range(600):
        if drawn() >= goal:
            return
        page.wait_for_timeout(50)
    raise AssertionError('no frames')


def pixel(page, canvas):
    """RGBA of the canvas's middle."""
    return page.evaluate("""id => { const c = document.getElementById(id);
        return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]; }""", canvas)


def test_camera_and_result_stand_side_by_side(opened):
    page = opened()
    assert pixel(page, 'camera')[0] > 190 and pixel(page, 'picture')[1] > 190
    left, right = (page.locator(which).bounding_box() for which in ('#camera', '#picture'))
    assert left['y'] == right['y'] and left['width'] == pytest.approx(right['width'], abs=1)
    assert left['x'] + left['width'] < right['x']


def test_another_output(opened):
    page = opened()
    page.select_option('#output', 'mask/human')
    frames(page, 3)
    assert pixel(page, 'picture')[2] > 190
    assert pixel(page, 'camera')[3] == 0  # a frame without its camera image shows none


def test_pause(opened):
    page = opened()
    page.click('#pause')
    page.wait_for_timeout(300)
    before = page.evaluate('document.body.dataset.frames')
    page.wait_for_timeout(500)
    assert page.evaluate('document.body.dataset.frames') == before
    page.click('#pause')
    frames(page, 3)


def test_what_diagnostics_says_is_text(opened):
    page = opened()
    assert page.inner_text('#warnings') == '<b>hot</b>; cool the machine'
    assert page.inner_text('#answered') == '7' and page.inner_text('#rate') == '9.50'
    assert 'inference' in page.inner_text('#stages') and 'road' in page.inner_text('#legend')
    assert page.locator('#machine tr').get_attribute('class') == 'WARN'


@pytest.mark.parametrize('scheme, back', [('light', 'rgb(246, 247, 249)'), ('dark', 'rgb(13, 17, 23)')])
def test_on_a_phone(opened, scheme, back):
    page = opened(390, scheme)
    assert page.evaluate('document.documentElement.scrollWidth') == 390
    camera, picture = (page.locator(which).bounding_box() for which in ('#camera', '#picture'))
    assert camera['x'] == picture['x'] and camera['y'] + camera['height'] < picture['y']
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == back


def test_it_says_how_another_machine_reaches_it(opened, server):
    assert opened().inner_text('footer').startswith(
        'From another machine: ssh -L {0}:localhost:{0} USER@THIS_MACHINE'.format(server.port))


def test_on_paper_no_part_is_torn(opened):
    page = opened()
    page.emulate_media(media='print')
    assert page.evaluate("getComputedStyle(document.querySelector('section')).breakInside") == 'avoid'
    assert not page.locator('#pause').is_visible() and not page.locator('footer').is_visible()


def test_it_comes_back_with_the_program(browser):
    page = browser.new_page()
    with PageServer(FrameStore(), lambda: STATE, port=0) as first:
        page.goto(first.address)
        page.wait_for_selector('text=ready, openvino')
    page.wait_for_selector('text=disconnected')
    with PageServer(FrameStore(), lambda: dict(STATE, engine='the second'), port=first.port):
        page.wait_for_selector('text=the second')
    page.close()

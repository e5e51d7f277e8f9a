"""The parts of docs/demo_pictures.py and docs/street_picture.py: the address, the animation, the pictures."""
import importlib.util
import pathlib

import cv2
import numpy as np
import pytest

DOCS = pathlib.Path(__file__).resolve().parents[2] / 'docs'


@pytest.fixture(scope='module')
def script():
    pytest.importorskip('playwright.sync_api')
    spec = importlib.util.spec_from_file_location('demo_pictures', DOCS / 'demo_pictures.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_address_is_what_the_demo_says(script):
    lines = iter(['starting\n', 'Live page: http://localhost:8081\n', 'engine: ready\n'])
    assert script.address_in(lines) == 'http://localhost:8081'
    assert next(lines) == 'engine: ready\n'  # it reads no further
    with pytest.raises(SystemExit, match='without a live page'):
        script.address_in(['espnet-ros: error: no ROS\n'])


def test_an_animation_keeps_its_limit(script, tmp_path, monkeypatch):
    if not hasattr(cv2, 'imreadanimation'):
        pytest.skip('this OpenCV has no animations')
    noise = np.random.default_rng(1).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    pictures = [np.roll(noise, 8 * i, 1) for i in range(4)]
    script.write_animation(tmp_path / 'a.webp', pictures)
    found, animation = cv2.imreadanimation(str(tmp_path / 'a.webp'))
    assert found and len(animation.frames) == 4 and animation.frames[0].shape[:2] == (450, 800)
    assert list(np.ravel(animation.durations)) == [script.FRAME_MS] * 4
    monkeypatch.setattr(script, 'LIMIT_BYTES', 1000)
    with pytest.raises(SystemExit, match='take fewer frames'):
        script.write_animation(tmp_path / 'b.webp', pictures)


def test_a_page_is_taken_once_it_has_an_overlay(script, browser, tmp_path):
    from test_page_in_browser import STATE, Feeder

    from espnet_ros.view.frames import FrameStore
    from espnet_ros.view.server import PageServer
    store = FrameStore()
    with PageServer(store, lambda: STATE, port=0) as server:
        feeder = Feeder(store)
        try:
            page = script.open_page(browser, server.address, (640, 480))
            assert int(page.evaluate('document.body.dataset.frames')) > 0
            script.wait_for_camera(page)
            assert script.picture_of(page).shape == (480, 640, 3)
            page.close()
        finally:
            feeder.close()


def test_what_the_readme_shows_is_there_and_small():
    for name, limit in (('demo.webp', 1500000), ('overlay.jpg', 200000), ('street.jpg', 200000), ('view.jpg', 200000)):
        assert 10000 < (DOCS / name).stat().st_size <= limit
    assert 'Apache License' in (DOCS / 'street.jpg.license').read_text()

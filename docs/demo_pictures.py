"""Runs `make demo`, looks at its live page in Chromium, and says after how many seconds the first overlay was there.

Writes demo.webp (an animation of the page), desktop.png and phone.png to the folder that the command line names;
--docs copies the animation and the desktop's picture to docs/ too. It needs `make env` and Chromium.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import time

import cv2
import numpy as np

DOCS = pathlib.Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT / 'test' / 'support'))

from browser import chromium, headless  # noqa: E402

DESKTOP, PHONE = (1280, 900), (390, 844)
FRAMES, FRAME_MS = 24, 250
ANIMATION_WIDTH = 800
LIMIT_BYTES = 1500000
PATIENCE = 900.0
"""Seconds until the page has to be there; the first time, make installs everything before."""


def address_in(lines):
    """Return the live page's address, once a line of the demo says it; raises SystemExit when the lines end before."""
    for line in lines:
        print(line, end='', flush=True)
        found = re.search(r'Live page: (\S+)', line)
        if found:
            return found.group(1)
    raise SystemExit('the demo ended without a live page')


def open_page(browser, address, size):
    """Return the page at an address in a window of (width, height), as soon as it has drawn an overlay."""
    page = browser.new_page(viewport=dict(zip(('width', 'height'), size)))
    page.goto(address)
    page.wait_for_selector('body[data-frames]', timeout=1000 * PATIENCE)  # the page counts what it has drawn
    return page


def wait_for_camera(page):
    """Wait until the camera's image of the overlay is there too: on a busy machine some are lost."""
    while not page.evaluate("""() => { const c = document.getElementById('camera');
            return c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data[3]; }"""):
        page.wait_for_timeout(50)


def picture_of(page):
    """Return what the window shows, BGR uint8 [H, W, 3]."""
    return cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)


def write_animation(path, pictures):
    """Write pictures of one size, BGR uint8 [H, W, 3], as an endless animation of at most LIMIT_BYTES."""
    height, width = pictures[0].shape[:2]
    size = (ANIMATION_WIDTH, height * ANIMATION_WIDTH // width)
    animation = cv2.Animation()
    animation.frames = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in pictures]
    animation.durations = np.full(len(pictures), FRAME_MS)
    for quality in (80, 60, 40, 20):
        cv2.imwriteanimation(str(path), animation, [cv2.IMWRITE_WEBP_QUALITY, quality])
        if path.stat().st_size <= LIMIT_BYTES:
            return
    raise SystemExit('{} has {} bytes; take fewer frames'.format(path, path.stat().st_size))


def main():
    """Run the demo and write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--docs', action='store_true', help='copy the animation and the page to docs/')
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    program = chromium()
    if program is None:
        sys.exit('there is no Chromium on this machine; with Debian: apt install chromium')
    start = time.monotonic()
    demo = subprocess.Popen(['make', 'demo', 'SECONDS=600'], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        address = address_in(demo.stdout)
        there = time.monotonic() - start
        with headless(program) as browser:
            page = open_page(browser, address, DESKTOP)
            print('seconds from the start of make demo: {:.1f} until the page, {:.1f} until its first overlay'.format(
                there, time.monotonic() - start))
            phone = open_page(browser, address, PHONE)
            phone.wait_for_selector('#stages td')  # the statuses come each second
            wait_for_camera(phone)
            phone.screenshot(path=str(options.folder / 'phone.png'), full_page=True)
            phone.close()
            pictures = []
            for _ in range(FRAMES):
                wait_for_camera(page)
                pictures.append(picture_of(page))
                page.wait_for_timeout(FRAME_MS)
            cv2.imwrite(str(options.folder / 'desktop.png'), pictures[-1])
            write_animation(options.folder / 'demo.webp', pictures)
    finally:
        demo.terminate()  # make passes it on to the demo, which ends its nodes
        demo.communicate(timeout=60)
    if options.docs:
        (DOCS / 'demo.webp').write_bytes((options.folder / 'demo.webp').read_bytes())
        cv2.imwrite(str(DOCS / 'view.jpg'), pictures[-1], [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == '__main__':
    main()

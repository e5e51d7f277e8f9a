"""A headless Chromium for pages: for tests, and for docs/demo_pictures.py."""
import contextlib
import shutil

import pytest

PROGRAMS = ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome')


def chromium():
    """Return the path of a Chromium, such as Debian's package; None without one."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextlib.contextmanager
def headless(program):
    """Run a headless Chromium; yields Playwright's handle."""
    from playwright.sync_api import sync_playwright
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture(scope='module')
def browser():
    """Playwright's handle of a headless Chromium, such as Debian's package."""
    pytest.importorskip('playwright.sync_api')
    program = chromium()
    if program is None:
        pytest.skip('there is no Chromium on this machine')
    with headless(program) as handle:
        yield handle

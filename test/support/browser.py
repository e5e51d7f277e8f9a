"""A headless Chromium for tests of pages."""
import shutil

import pytest


@pytest.fixture(scope='module')
def browser():
    """Playwright's handle of a headless Chromium, such as Debian's package."""
    api = pytest.importorskip('playwright.sync_api')
    program = next(filter(None, map(shutil.which, (
        'chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'))), None)
    if program is None:
        pytest.skip('there is no Chromium on this machine')
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=['--no-sandbox'])
        yield chromium
        chromium.close()

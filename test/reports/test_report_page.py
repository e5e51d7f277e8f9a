"""The report as a person sees it: in a real browser, on a desk, a phone and paper."""
import base64
import json
import re

import cv2
import numpy as np
import pytest
from browser import browser  # noqa: F401

from espnet_ros.evaluation.evaluate import Evaluation, WorstFrame
from espnet_ros.evaluation.pictures import frame_pictures
from espnet_ros.evaluation.results import write_results
from espnet_ros.evaluation.scoring import compare_labels, score_frame
from espnet_ros.evaluation.statistics import Statistics, frame_score
from espnet_ros.labels import CAMVID, CITYSCAPES
from espnet_ros.reports.charts import BINS, histogram, summarized, timeline
from espnet_ros.reports.compare import Difference, SideBySide, write_comparison
from espnet_ros.reports.report import write_report

DETAILS = {
    'configuration': {
        'model': {'name': 'model-<b>x</b>', 'sha256': 64 * 'a'}, 'input': [480, 360], 'by_class': True,
        'way': 'offline',
        'bags': [{'paths': ['/a/long/path/' + 40 * 'x' + '/drive.mcap'], 'bytes': 12345678, 'frames': 30,
                  'labeled': 32, 'label_set': 'camvid'}]},
    'sessions': [{'frames': 30, 'seconds': 1.5, 'engine_share': 0.95, 'where': 'in one process', 'versions': {'a': '1'},
                  'date': '2026-11-24', 'cpu': 'AMD EPYC (AVX2, 2 cores)',
                  'engines': [{'backend': 'torch', 'precision': 'fp32', 'device': 'CPU', 'fallback': 'no GPU'}]}],
    'scans': [
        {'bag': ['/a/' + 60 * 'x'], 'reason': 'the bag has no <i>/tf_static</i>'},
        {'bag': ['/b'], 'truth': 'depth on /camera/depth', 'frames': 30, 'skipped': {'no depth of the same stamp': 2},
         'note': '', 'worst': {'stamp': 1.0, 'scan': 'camvid-espnet-q8'}, 'rows': [
            {'scan': 'camvid-espnet-q8', 'from': 0.0, 'to': 15.0, 'median': 0.0123, 'p95': 0.0789, 'bias': None,
             'missed': 0.6225, 'phantoms': 0.1933, 'beams': 12467}]}],
    'problems': ['2 images on <script>alert(1)</script> cannot be decoded']}


def write(folder, label_set=CAMVID, frames=30, by_class=True):
    """Write a report of random frames and return the path of its page."""
    comparison, = compare_labels(label_set, [label_set])
    statistics, random, worst = Statistics(comparison.label_set, by_class, 32), np.random.default_rng(0), []
    for number in range(frames):
        truth = random.choice(np.array([*label_set.ids, 255], np.uint8), (6, 8)).repeat(20, 0).repeat(20, 1)
        labels = np.where(random.random(truth.shape) < 0.7, truth, truth.T[:120, :120].repeat(2, 1)[:, :160])
        record = dict(score_frame(comparison, truth, labels), bag=0, topic='/camera/<i>', stamp=10**18 + number,
                      latency=0.02 + random.random() / 50,
                      stages={'preprocess': 0.001, 'inference': 0.02, 'postprocess': 0.001})
        statistics.add(record)
        image = random.integers(0, 255, truth.shape + (3,), dtype=np.uint8)
        if number < 2:
            worst.append(WorstFrame(record, number + 1, frame_score(record),
                                    frame_pictures(comparison, image, truth, labels)))
    metrics = dict(statistics.metrics(), **DETAILS)
    write_results(folder, metrics, statistics)
    write_report(folder, Evaluation(statistics, metrics, worst, [None, np.zeros((240, 560, 3), np.uint8)]))
    return folder / 'report.html'


@pytest.fixture
def look(browser):  # noqa: F811
    """Open a page offline in a window of some width; what it asks for or complains about is in `seen`."""
    contexts, seen = [], []

    def opened(path, width=1280, scheme='light'):
        contexts.append(browser.new_context(
            viewport={'width': width, 'height': 900}, color_scheme=scheme, offline=True))
        page = contexts[-1].new_page()
        seen.clear()
        page.on('console', lambda message: seen.append(message.text))
        page.on('pageerror', lambda error: seen.append(str(error)))
        page.on('dialog', lambda dialog: seen.append(dialog.message))
        page.on('request', lambda request: None if request.url.startswith('data:') else seen.append(request.url))
        page.goto(path.as_uri())
        assert seen == [path.as_uri()]  # it needs nothing but itself
        return page

    yield opened
    for context in contexts:
        context.close()


def test_the_page_shows_the_numbers(tmp_path, look):
    page = look(write(tmp_path))
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    tiles = page.locator('.tile b').all_inner_texts()
    shares = [metrics[key] for key in ('averageScoreCategories', 'averageScoreClasses', 'pixelAccuracy',
                                       'averageAccuracyClasses', 'boundaryF1')]
    assert tiles[:5] == ['{:.2f}'.format(100 * value) for value in shares]
    assert tiles[5:] == ['{:.1f}'.format(1000 * metrics['latency'][p]) for p in ('p50', 'p95')] + [
        '{:.2f}'.format(100 * 30 / 32)]
    assert page.locator('h1').inner_text() == 'Evaluation of model-<b>x</b>'
    assert page.locator('.warn li').all_inner_texts() == DETAILS['problems']
    classes = page.locator('section', has=page.get_by_role('heading', name='Classes')).locator('tr')
    assert classes.count() == 1 + 11 + 1
    for row, (name, value) in zip(classes.all()[1:], metrics['classScores'].items()):
        assert row.locator('td').nth(0).inner_text() == name
        assert row.locator('td').nth(2).inner_text() == '{:.2f}'.format(100 * value)
        box, bar = (row.locator(part).bounding_box() for part in ('.track', '.fill'))
        assert bar['width'] / box['width'] == pytest.approx(value, abs=0.02)


def test_pictures_load_and_the_matrix_is_right(tmp_path, look):
    page = look(write(tmp_path))
    sizes = page.evaluate('[...document.images].map(i => [i.complete, i.naturalWidth, i.naturalHeight])')
    assert sizes == [[True, 560, 240], *8 * [[True, 160, 120]]]
    assert page.locator('.matrix td').count() == 11 * 12
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    row = metrics['confMatrix'][3]
    cell = page.locator('.matrix td').nth(3 * 12 + 3)
    assert cell.get_attribute('title') == 'Road predicted as Road: {} pixels, {:.2f} %'.format(
        row[3], 100 * row[3] / sum(row))
    assert cell.inner_text() == '{:.0f}'.format(100 * row[3] / sum(row))
    assert page.locator('svg.chart').count() == 3 and page.locator('svg.chart').first.bounding_box()['height'] > 200


@pytest.mark.parametrize('width, label_set', [(390, CAMVID), (320, CITYSCAPES), (820, CITYSCAPES), (1280, CITYSCAPES)])
def test_nothing_is_cut_off_at_any_width(tmp_path, look, width, label_set):
    page = look(write(tmp_path, label_set), width)
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    # Only on the smallest phones something is scrolled by itself; nothing else reaches out of its section.
    wide = page.evaluate("[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length")
    assert wide == 0
    assert page.evaluate("""[...document.querySelectorAll('section, .tile')].flatMap(section => {
        const end = section.getBoundingClientRect().right + 1;
        return [...section.querySelectorAll('td, th, p, li, figure, b, span')]
            .filter(e => !e.closest('.scroll') && e.getBoundingClientRect().right > end)
            .map(e => e.outerHTML)})""") == []


def test_a_comparison_shows_its_verdicts_on_a_phone(tmp_path, look):
    scores = 'category mIOU', 'pixel accuracy', 'Column_Pole', 'Bicyclist'
    differences = tuple(Difference(name, 0.98765, 0.12345, -0.91234, -0.90123) for name in scores)
    facts = ('engine', 2 * ('openvino in int8 on CPU, 2 threads; torch in fp32 on CPU',)), ('bags', ('/a', '/a,b'))
    write_comparison(tmp_path / 'page.html', SideBySide(facts, 9, 1, differences), ['one', 'another'])
    for width in (390, 320):
        page = look(tmp_path / 'page.html', width)
        boxes = [cell.bounding_box() for cell in page.locator('td.worse').all()]
        assert len(boxes) == 8 and all(box['x'] + box['width'] <= width - 10 for box in boxes)
        assert page.evaluate('document.documentElement.scrollWidth') <= width


def test_light_and_dark_have_contrast(tmp_path, look):
    path = write(tmp_path)
    for scheme in ('light', 'dark'):
        page = look(path, scheme=scheme)
        colors = page.evaluate("""[...document.querySelectorAll('h1, td, th, .soft, .warn li, .tile span')].map(e => {
            let under = e;
            while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
            return [getComputedStyle(e).color, getComputedStyle(under).backgroundColor]})""")
        for text, under in {tuple(pair) for pair in colors}:
            first, second = sorted((luminance(text), luminance(under)))
            assert (second + 0.05) / (first + 0.05) >= 4.5, (scheme, text, under)
        page.close()


def luminance(color):
    """Relative luminance of a CSS color (WCAG 2)."""
    channels = [int(value) / 255 for value in re.findall(r'\d+', color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_on_paper_it_is_light_and_complete(tmp_path, look):
    page = look(write(tmp_path, CITYSCAPES), scheme='dark')
    page.emulate_media(media='print')
    page.set_viewport_size({'width': 688, 'height': 990})  # A4 without its margins
    assert page.evaluate('getComputedStyle(document.body).backgroundColor') == 'rgb(255, 255, 255)'
    assert page.evaluate('document.documentElement.scrollWidth') <= 688
    assert page.locator('.matrix').bounding_box()['width'] <= 688
    document = page.pdf(format='A4')
    assert document.startswith(b'%PDF') and 2 <= len(re.findall(rb'/Type\s*/Page\b', document)) <= 8


def test_without_frames_or_ground_truth_there_is_a_page(tmp_path, look):
    page = look(write(tmp_path, frames=0))
    assert page.locator('.tile b').all_inner_texts() == 7 * ['–'] + ['0.00']


def test_scores_by_category_show_none_of_classes(tmp_path):
    text = write(tmp_path, by_class=False).read_text()
    assert '>category mIOU, %<' in text and '>class mIOU' not in text and '>mean class accuracy' not in text


def test_pictures_are_in_the_page(tmp_path):
    text = write(tmp_path).read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', text) and not re.search(r'url\((?!#)', text)
    assert '<script' not in text
    for kind, data in re.findall(r'src="data:image/(png|jpeg);base64,([^"]+)"', text):
        picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert picture.shape in ((120, 160, 3), (240, 560, 3)), kind


def heights(svg):
    """Heights of the bars in a histogram, and of the highest."""
    bars = re.findall(r'<path d="M [\d.]+ ([\d.]+) \nL [\d.]+ [\d.]+ \nL [\d.]+ ([\d.]+) [^"]*" clip-path', svg)
    return [float(bottom) - float(top) for bottom, top in bars]


def test_histogram_counts_every_value():
    chart = histogram([0.1] * 95 + [5.0] * 3 + [0.2] * 2, 'x', 'y')
    bars = heights(chart.svg)
    assert len(bars) == BINS
    assert [round(95 * bar / max(bars)) for bar in bars if bar > 0] == [95, 2, 3]
    assert chart.note == 'The last bar holds 3 beyond 0.21, up to 5.'
    assert heights(histogram([0.0], 'x', 'y').svg) and histogram([3.0], 'x', 'y').note == ''


def test_axes_that_count_have_whole_numbers():
    for chart in (histogram([250.0, 270.0, 290.0, 310.0, 320.0], 'ms', 'frames'),
                  timeline([320.0, 300.0, 310.0, 305.0, 299.0], 'frame', 'ms')):
        ticks = re.findall(r'>([\d.]+)</text>', chart.svg)
        assert len(ticks) > 5 and not [tick for tick in ticks if '.' in tick], ticks


def test_charts_take_the_colors_of_the_page_and_escape_their_titles():
    for chart in (histogram([1.0, 2.0], '<x>', 'y'), timeline([1.0, 2.0], '<x>', 'y')):
        assert 'var(--accent)' in chart.svg and 'var(--soft)' in chart.svg and '#0' not in chart.svg
        assert '<x>' not in chart.svg and '&lt;x&gt;' in chart.svg and chart.svg.startswith('<svg class="chart"')


def test_timeline_keeps_peaks_and_skips_what_is_missing():
    values = np.full(5000, 1.0)
    values[1234] = 9.0
    numbers, low, middle, high = summarized(values, np.arange(5000))
    assert len(numbers) == 360 and high.max() == 9.0 and low.min() == 1.0 and numbers[high.argmax()] == pytest.approx(
        1235, abs=7)
    assert set(middle) == {1.0}
    values[100:200] = np.nan
    numbers, *_ = summarized(values, np.flatnonzero(~np.isnan(values)))
    assert not any(115 < number < 185 for number in numbers)
    assert timeline([np.nan, np.nan], 'x', 'y') is None and timeline([], 'x', 'y') is None
    assert 'var(--accent)' in timeline([0.0], 'x', 'y').svg and timeline([1.0, np.nan, 0.5], 'x', 'y').svg

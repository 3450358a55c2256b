"""The Swift that users are given parses; without a Mac, that is as much as can be told of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import tree_sitter_swift
from tree_sitter import Language, Parser

from mobileone_mm.exporter.report import Report
from mobileone_mm.targets.coreml.target import TARGET

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
FENCE = re.compile(r'^ *```swift\n(.*?)^ *```', re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(block, id=f'{page.name}-{number}')
    for page in PAGES
    for number, block in enumerate(FENCE.findall(page.read_text()), 1)
]
PARSER = Parser(Language(tree_sitter_swift.language()))


def is_swift(text: str) -> bool:
    return not PARSER.parse(text.encode()).root_node.has_error  # the parser itself refuses nothing


def test_there_is_swift_in_the_readme_and_the_docs() -> None:
    assert {page.name for page in PAGES if FENCE.search(page.read_text())} >= {'README.md', 'swift.md'}


@pytest.mark.parametrize('block', BLOCKS)
def test_swift_on_a_page_parses(block: str) -> None:
    assert is_swift(block)


@pytest.mark.parametrize('name', ['detector', 'my-cells v2.1', '320 px', 'Zellen-Ä'])
def test_the_lines_of_an_export_parse(exported: Report, name: str) -> None:
    assert is_swift(TARGET.snippet(Path(f'{name}.mlpackage'), exported.info)[1])


@pytest.mark.parametrize('kind', ['array', 'image'])
def test_the_lines_of_a_segmenter_parse_and_a_bracket_less_does_not(kind: str, segmenter_package: Report) -> None:
    card = replace(
        segmenter_package.info,
        settings={**segmenter_package.info.settings, 'map': kind},
        classes=('sky "blue" $5', 'a\\(b)', 'Straße', 'house'),
    )
    lines = TARGET.snippet(Path('my seg.mlpackage'), card)[1]
    assert is_swift(lines)
    assert 'for: my_seg(configuration' in lines
    assert ('CVPixelBufferGetBytesPerRow' in lines) == (kind == 'image')
    assert lines.count('$') == (3 if kind == 'array' else 2)  # closures' own, and the label's
    brackets = [place for place, letter in enumerate(lines) if letter in '()[]{}']
    for place in brackets[:: len(brackets) // 20]:
        if not is_inside_text(lines, place):
            assert not is_swift(lines[:place] + lines[place + 1 :])


@pytest.mark.parametrize('crop', ['centerCrop', 'scaleFill'])
def test_the_lines_of_a_classifier_parse_and_a_bracket_less_does_not(crop: str, classifier_package: Report) -> None:
    lines = TARGET.snippet(Path('my cats.mlpackage'), replace(classifier_package.info, crop=crop))[1]
    assert is_swift(lines)
    assert 'for: my_cats(configuration' in lines
    assert f'imageCropAndScaleOption = .{crop} ' in lines
    assert 'VNClassificationObservation' in lines
    brackets = [place for place, letter in enumerate(lines) if letter in '()[]{}']
    for place in brackets[:: len(brackets) // 20]:
        if not is_inside_text(lines, place):
            assert not is_swift(lines[:place] + lines[place + 1 :])


def is_inside_text(lines: str, place: int) -> bool:
    line = lines[lines.rfind('\n', 0, place) + 1 : place]
    return '//' in line or line.count('"') % 2 == 1


PLANTED: dict[str, Callable[[str], str]] = {
    'a missing brace': lambda text: text.rstrip().removesuffix('}'),
    'one brace too many': lambda text: text + '}\n',
    'a signature without its type': lambda text: text.replace('in image: UIImage', 'in image:'),
    'a signature without its arrow': lambda text: text.replace(') throws -> [', ') throws ['),
    'a stray word': lambda text: text.replace('try handler.perform(', 'try try handler perform('),
    'a call left open': lambda text: text.replace('configuration: configuration)', 'configuration: configuration'),
    'a text left open': lambda text: text.replace('"iouThreshold"', '"iouThreshold'),
    'a name that is none': lambda text: text.replace('for: detector(', 'for: 320 px('),
}


@pytest.mark.parametrize('plant', PLANTED.values(), ids=list(PLANTED))
def test_a_planted_error_is_caught(exported: Report, plant: Callable[[str], str]) -> None:
    lines = TARGET.snippet(Path('detector.mlpackage'), exported.info)[1]
    assert plant(lines) != lines
    assert not is_swift(plant(lines))


def test_every_bracket_that_goes_missing_is_caught(exported: Report) -> None:
    lines = TARGET.snippet(Path('detector.mlpackage'), exported.info)[1]
    brackets = [place for place, letter in enumerate(lines) if letter in '()[]{}']
    assert len(brackets) > 100
    assert [place for place in brackets if is_swift(lines[:place] + lines[place + 1 :])] == []

"""A checkpoint and folders of classes that it was not trained on, where the config names none: every tool says so."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from mobileone_mm import cli
from mobileone_mm.commands import evaluate, export, fuse, predict
from tiny_classifier import CLASSES, new_classifier

TRAINED = tuple(sorted(CLASSES))  # as folders are read
FOUND = (*(name for name in TRAINED if name != 'cat'), 'yak')
Words = Callable[[Path, Path], Sequence[str | Path]]


@pytest.mark.parametrize(
    ('main', 'words'),
    [
        (evaluate.main, lambda config, weights: [weights, config]),
        (export.main, lambda config, weights: [config, weights, '--out', weights.with_suffix('.onnx')]),
        (fuse.main, lambda config, weights: [config, weights]),
        (predict.main, lambda config, weights: [config, weights, config.parent / 'pictures/dog']),
    ],
    ids=['evaluate', 'export', 'fuse', 'predict'],
)
def test_folders_of_other_classes_are_refused_unless_the_config_wins(
    main: Callable[[Sequence[str] | None], int],
    words: Words,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config, weights = new_classifier(tmp_path, classes=TRAINED, metainfo='')
    (tmp_path / 'pictures/cat').rename(tmp_path / 'pictures/yak')
    typed = [str(word) for word in words(config, weights)]
    assert cli.run(main, typed) == 1
    lists = re.escape(f'{weights}: trained on the classes {TRAINED}, {config} names {FOUND}; give the config')
    assert re.search(lists, capsys.readouterr().err)
    assert cli.run(main, [*typed, '--config-wins']) == 0
    assert f'the classes are {TRAINED} there, {FOUND} here' in capsys.readouterr().err

"""`mobileone convert` as typed."""

import re
from pathlib import Path

import pytest
import torch

from mobileone_mm import cli
from mobileone_mm.commands.convert import main
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights.names import describe


@pytest.fixture
def apple(tmp_path: Path) -> Path:
    state = MobileOne('s0', deploy=True).state_dict()
    state |= {'linear.weight': torch.randn(5, 1024), 'linear.bias': torch.randn(5)}
    torch.save(state, tmp_path / 'apple.pth.tar')
    return tmp_path / 'apple.pth.tar'


def load(path: Path) -> dict[str, torch.Tensor]:
    contents = torch.load(path, weights_only=True)  # noqa: TID251
    return dict(contents['state_dict']) if 'state_dict' in contents else dict(contents)


@pytest.mark.parametrize('layout', ['timm', 'mmpretrain'])
def test_there_and_back(apple: Path, layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    there, back = apple.with_name('there.pth'), apple.with_name('back.pth')
    assert cli.run(main, [str(apple), str(there), '--to', layout]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f'{there}: a fused S0 with a 5-class classifier ({layout} keys), 88 entries'
    assert printed[-1] == f'next: {cli.command("train", "ssd_mobileone_s0", "--weights", str(there))}'
    assert describe(load(there)) == f'a fused S0 with a 5-class classifier ({layout} keys)'
    assert ('meta' in torch.load(there, weights_only=True)) == (layout == 'mmpretrain')  # noqa: TID251
    assert main([str(there), str(back), '--to', 'apple']) == 0
    torch.testing.assert_close(load(back), load(apple), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['{apple}', '{folder}/out.pth', '--to', 'keras'], 2, 'invalid choice'),
        (['{apple}', '{folder}/out.bin', '--to', 'timm'], 2, r'out\.bin: expected a name that ends in'),
        (['{apple}', '{apple}', '--to', 'timm'], 2, 'would replace .*, which is read'),
        (['{folder}/none.pth', '{folder}/out.pth', '--to', 'timm'], 1, 'no such weight file'),
        (['{detector}', '{folder}/out.pth', '--to', 'timm'], 1, r'1 key \(neck\.weight\) have no place'),
    ],
)
def test_bad_input_writes_nothing(
    arguments: list[str], status: int, message: str, apple: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    detector = apple.with_name('detector.pth')
    state = {f'backbone.{key}': value for key, value in MobileOne('s1', deploy=True).state_dict().items()}
    torch.save(state | {'neck.weight': torch.zeros(1)}, detector)
    filled = [argument.format(apple=apple, folder=apple.parent, detector=detector) for argument in arguments]
    try:
        actual = cli.run(main, filled)
    except SystemExit as stopped:  # argparse's own way out
        actual = stopped.code
    assert actual == status
    assert re.search(message, capsys.readouterr().err)
    assert {path.name for path in apple.parent.iterdir()} == {'apple.pth.tar', 'detector.pth'}


def test_a_missing_folder_is_made(apple: Path) -> None:
    there = apple.with_name('new') / 'there.pth'
    assert cli.run(main, [str(apple), str(there), '--to', 'timm']) == 0
    assert describe(load(there)) == 'a fused S0 with a 5-class classifier (timm keys)'


@pytest.mark.parametrize('way', ['the path', 'a symbolic link', 'a hard link', 'a file: URL', 'the home folder'])
def test_what_is_read_is_not_written_over_by_whatever_way(
    way: str, apple: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, link = apple.with_name('ours.pth'), apple.with_name('link.pth')
    assert cli.run(main, [str(apple), str(ours), '--to', 'timm']) == 0  # what may be written over otherwise
    before = ours.read_bytes()
    monkeypatch.setenv('HOME', str(apple.parent))
    source, out = str(ours), ours
    if way == 'a symbolic link':
        link.symlink_to(ours)
        out = link
    elif way == 'a hard link':
        link.hardlink_to(ours)
        out = link
    elif way == 'a file: URL':
        source = ours.as_uri()
    elif way == 'the home folder':
        source = '~/ours.pth'
    assert cli.run(main, [source, str(out), '--to', 'apple']) == 2
    assert re.search(r'would replace .*ours\.pth, which is read', capsys.readouterr().err)
    assert ours.read_bytes() == before


def test_a_file_that_somebody_else_wrote_is_left_alone(apple: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (('notes.pth', b'notes'), ('weights.pth', apple.read_bytes())):
        out = apple.with_name(name)
        out.write_bytes(content)
        assert cli.run(main, [str(apple), str(out), '--to', 'timm']) == 2
        assert f'{out}: this file is not a weight file written by mobileone_mm' in capsys.readouterr().err
        assert out.read_bytes() == content

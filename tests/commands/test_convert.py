"""tools/convert_weights.py, as it is typed."""

import re
from pathlib import Path

import pytest
import torch

from mobileone_mm.cli import run
from mobileone_mm.models.backbones.mobileone import MobileOne
from mobileone_mm.weights.names import describe
from tools.convert_weights import main


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
    assert main([str(apple), str(there), '--to', layout]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f'{there}: a fused S0 with a 5-class classifier ({layout} keys), 88 entries'
    assert printed[-1].startswith('next: mim train mmdet configs/detection/ssd_mobileone_s0.py')
    assert describe(load(there)) == f'a fused S0 with a 5-class classifier ({layout} keys)'
    assert ('meta' in torch.load(there, weights_only=True)) == (layout == 'mmpretrain')  # noqa: TID251
    assert main([str(there), str(back), '--to', 'apple']) == 0
    torch.testing.assert_close(load(back), load(apple), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['{apple}', '{folder}/out.pth', '--to', 'keras'], 2, 'invalid choice'),
        (['{apple}', '{folder}/missing/out.pth', '--to', 'timm'], 2, 'the folder .* does not exist'),
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
        actual = run(main, filled)
    except SystemExit as stopped:  # argparse's own way out
        actual = stopped.code
    assert actual == status
    assert re.search(message, capsys.readouterr().err)
    assert {path.name for path in apple.parent.iterdir()} == {'apple.pth.tar', 'detector.pth'}


def test_help_opens_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--help'])
    assert 'example:\n  python tools/convert_weights.py ' in capsys.readouterr().out

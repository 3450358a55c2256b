"""Teachers by name: what they are given, what they say, and what is said of those that cannot be had."""

import re
import sys
from pathlib import Path
from socketserver import BaseRequestHandler, TCPServer
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import OpenerDirector

import numpy as np
import pytest
import torch
from tiny_teachers import MISSING, MMPRETRAIN, TIMM, TIMM_OF_ONE_SIZE, said_by, write_teacher

from mobileone_mm import config
from mobileone_mm.errors import CheckpointError, ConfigError, MobileOneError
from mobileone_mm.models.classifiers.teachers import Teachers
from mobileone_mm.weights.checkpoint import save_checkpoint

TOLERANCE = 1e-4  # of a probability: float32 against float64 in networks whose logits spread
CLASSES = 1000
OPTION = re.escape('; name a file: --cfg-options model.teachers.0.checkpoint=FILE')


def pictures(side: int = 64) -> np.ndarray:
    """Four noisy pictures, each channel with its own mean: uint8 (4, side, side, 3), blue, green, red."""
    generator = np.random.default_rng(0)
    noise = generator.normal((60, 120, 200), 50, (4, side, side, 3))
    return noise.clip(0, 255).astype(np.uint8)


def planes(given: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(given.transpose(0, 3, 1, 2).copy()).float()


def fails(teacher: Any, kind: type[MobileOneError], message: str) -> None:
    with pytest.raises(kind, match=message):
        Teachers([teacher]).open()


def test_two_teachers_give_the_mean_of_their_softmax_each_with_its_own_normalisation(
    teachers: list[dict[str, str]],
) -> None:
    each = [said_by(teacher, pictures()) for teacher in teachers]
    mean = sum(each) / 2
    found = Teachers(teachers).soft_labels(planes(pictures()), CLASSES)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), mean, rtol=0, atol=TOLERANCE)
    for teacher, expected in zip(teachers, each, strict=True):
        alone = Teachers([teacher]).soft_labels(planes(pictures()), CLASSES).double()
        torch.testing.assert_close(alone, expected, rtol=0, atol=TOLERANCE)
        # What a swap of channels, a wrong mean or the other teacher would change shows.
        for other in (said_by(teacher, pictures()[..., ::-1]), said_by(teacher, pictures() // 2), mean):
            assert (alone - other).abs().max() > 100 * TOLERANCE


def test_a_config_file_names_a_teacher_too(classifier: tuple[Path, Path]) -> None:
    config, weights = classifier
    teacher = {'name': f'mmpretrain:{config}', 'checkpoint': str(weights)}
    assert Teachers([teacher]).soft_labels(planes(pictures()), 6).shape == (4, 6)
    with pytest.raises(ConfigError, match=r'cls\.py: has 6 classes, the student 1000; expected the same classes'):
        Teachers([teacher]).soft_labels(planes(pictures()), CLASSES)


def test_a_teacher_of_one_size_takes_no_other(tmp_path: Path) -> None:
    pytest.importorskip('timm', reason=MISSING)
    teacher = Teachers([write_teacher(TIMM_OF_ONE_SIZE, tmp_path)])
    assert teacher.soft_labels(planes(pictures(160)), CLASSES).shape == (4, CLASSES)
    with pytest.raises(ConfigError, match='takes pictures of 160 x 160 px alone, and training crops 96 x 96 px'):
        teacher.soft_labels(planes(pictures(96)), CLASSES)


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ([], 'teachers: none given, expected at least one'),
        (['timm:resnet50'], r"teachers: 'timm:resnet50' given, expected dict\(name='timm:"),
        ([{'checkpoint': 'a.pth'}], r'given, expected dict\(name='),
        ([{'name': 'timm:resnet50', 'weights': 'a.pth'}], r'given, expected dict\(name='),
        ([{'name': 'resnet50'}], "name='resnet50' given, expected a source and a name, such as 'timm:"),
        ([{'name': 'timm:'}], "name='timm:' given"),
        ([{'name': 'torchvision:resnet50'}], "name='torchvision:resnet50' given"),
    ],
)
def test_a_teacher_has_a_source_and_a_name(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Teachers(given)


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('timm:resnet152s.gluon_in1', r'no such|Invalid pretrained tag \(gluon_in1\) for resnet152s.*gluon_in1k'),
        ('timm:resnet1520', 'no such model; did you mean .*resnet152'),
        ('timm:' + 'x' * 40, r'no such model; timm\.list_pretrained\(\) names them all'),
        ('mmpretrain:resnet101_8xb32', 'no such model; did you mean .*resnet101_8xb32_in1k'),
        ('mmpretrain:' + 'x' * 40, r'no such model; mmpretrain\.list_models\(\) names them all'),
        ('mmpretrain:nothing.py', 'mmpretrain cannot build it: .*nothing.py'),
        ('mmpretrain:simsiam_resnet50_8xb32-coslr-100e_in1k', 'is a SimSiam, expected a classifier'),
    ],
)
def test_an_unknown_name_is_refused_by_name(name: str, message: str) -> None:
    if name.startswith('timm'):
        pytest.importorskip('timm', reason=MISSING)
    fails({'name': name}, ConfigError, f'^teacher {name}: .*({message})')


def test_without_timm_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'timm', None)  # makes its import fail
    fails(
        {'name': f'timm:{TIMM}'}, ConfigError, r"timm cannot be imported .*: pip install 'mobileone-mm\[distillation]'"
    )


def test_weights_that_cannot_be_downloaded_say_where_to_name_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise URLError('no way there')

    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    monkeypatch.setattr(OpenerDirector, 'open', refuse)
    option = '--cfg-options model.teachers.0.checkpoint=FILE'
    fails({'name': f'mmpretrain:{MMPRETRAIN}'}, CheckpointError, f'cannot be downloaded .*no way there.*{option}')
    pytest.importorskip('timm', reason=MISSING)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_OFFLINE', True)
    monkeypatch.setattr('huggingface_hub.constants.HF_HUB_CACHE', str(tmp_path))
    fails({'name': f'timm:{TIMM}'}, CheckpointError, rf'timm:{TIMM}: its weights cannot be read \(.+\){OPTION}$')


def hub_at(address: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let Hugging Face's hub be at an address, and what was fetched from it below a folder."""
    pytest.importorskip('timm', reason=MISSING)
    template = address + '/{repo_id}/resolve/{revision}/{filename}'
    settings = {'ENDPOINT': address, 'HUGGINGFACE_CO_URL_TEMPLATE': template, 'HF_HUB_CACHE': str(folder)}
    for name, value in settings.items():
        monkeypatch.setattr(f'huggingface_hub.constants.{name}', value)
    return folder / f'models--timm--{TIMM}'


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    class Silent(BaseRequestHandler):
        def handle(self) -> None:
            asked.append(self.request.recv(1000))

    reason = r'\(never downloaded here, and the hub gives no answer: .+\)'
    with TCPServer(('127.0.0.1', 0), Silent) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        hub_at(f'http://127.0.0.1:{server.server_address[1]}', tmp_path, monkeypatch)
        fails({'name': f'timm:{TIMM}'}, CheckpointError, f'timm:{TIMM}: its weights cannot be read {reason}{OPTION}$')
        server.shutdown()
    assert [request.partition(b' HTTP')[0].decode() for request in asked] == [
        f'HEAD /timm/{TIMM}/resolve/main/model.safetensors'
    ]


def test_what_was_downloaded_once_needs_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = hub_at('http://127.0.0.1:9', tmp_path, monkeypatch)  # nobody listens there
    from safetensors.torch import save_file

    teacher = write_teacher(TIMM, tmp_path)
    (kept / 'refs').mkdir(parents=True)
    (kept / 'refs/main').write_text('0' * 40)
    (kept / 'snapshots' / ('0' * 40)).mkdir(parents=True)
    state = torch.load(teacher['checkpoint'], weights_only=True)  # noqa: TID251
    save_file(state, kept / 'snapshots' / ('0' * 40) / 'model.safetensors')
    found = Teachers([{'name': teacher['name']}]).soft_labels(planes(pictures()), CLASSES)
    torch.testing.assert_close(found.double(), said_by(teacher, pictures()), rtol=0, atol=TOLERANCE)


def test_weights_of_another_network_are_refused(teachers: list[dict[str, str]], tmp_path: Path) -> None:
    ours, theirs = teachers
    for name in (ours['name'], theirs['name']):
        other = (theirs if name == ours['name'] else ours)['checkpoint']
        fails({'name': name, 'checkpoint': other}, CheckpointError, r'does not fit|its weights cannot be read \(Error')
        fails({'name': name, 'checkpoint': str(tmp_path / 'no.pth')}, CheckpointError, r'no\.pth: no such weight file')
    state = torch.load(theirs['checkpoint'], weights_only=True)  # noqa: TID251
    del state['head.fc.bias']
    save_checkpoint(tmp_path / 'part.pth', state, None)
    part = {'name': theirs['name'], 'checkpoint': str(tmp_path / 'part.pth')}
    fails(part, CheckpointError, r'part\.pth: does not fit ImageClassifier: missing .*head.fc.bias')
    (tmp_path / 'code.pth').write_bytes(b'\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.')
    for name in (ours['name'], theirs['name']):
        fails({'name': name, 'checkpoint': str(tmp_path / 'code.pth')}, CheckpointError, 'system|weights_only')


@pytest.mark.parametrize('name', ['mmpretrain:mobileone-s0_8xb32_in1k', 'timm:mobileone_s0'])
def test_a_fused_mobileone_under_anothers_name_says_whose_it_takes(name: str, tmp_path: Path) -> None:
    if name.startswith('timm'):
        pytest.importorskip('timm', reason=MISSING)
    fused = {'stage0.reparam_conv.weight': torch.zeros(48, 3, 3, 3), 'stage0.reparam_conv.bias': torch.zeros(48)}
    torch.save(fused, tmp_path / 'fused.pth')
    with pytest.raises(CheckpointError) as refused:
        Teachers([{'name': name, 'checkpoint': str(tmp_path / 'fused.pth')}]).open()
    said = str(refused.value)
    assert said.endswith("name='mmpretrain:' + __import__('mobileone_mm').config('mobileone_s0_in1k')")
    assert len(said) < 700


def test_apples_fused_file_teaches_by_a_shipped_config(real_data: Path) -> None:
    weights = real_data / 'weights/mobileone_s0/mobileone_s0.pth.tar'
    teacher = Teachers([{'name': f'mmpretrain:{config("mobileone_s0_in1k")}', 'checkpoint': str(weights)}])
    assert teacher.soft_labels(planes(pictures()), CLASSES).shape == (4, CLASSES)

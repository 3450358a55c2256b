"""The files that pin what is installed: locks with the versions of constraints.txt, the hashes, and no host."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
LOCK, HEADLESS = ROOT / 'requirements.lock', ROOT / 'requirements-headless.lock'
HASH = re.compile(r'--hash=sha256:[0-9a-f]{64}')
# What torch pins on Linux by itself, and pip, which openmim asks for: constraints.txt leaves them alone.
LEFT_TO_TORCH = re.compile(r'nvidia-.*|cuda-.*|triton|pip')
PYTHONS = ('3.10', '3.11', '3.12')
MACHINES = {'linux': 'x86_64', 'darwin': 'arm64'}
ONLY_IN_CONSTRAINTS = {'opencv-python-headless'}  # in place of opencv-python: has a lock of its own


def entries(path: Path) -> dict[str, list[str]]:
    """The requirements of a pip file, each with its hashes."""
    lines = [line for line in path.read_text().replace('\\\n', '').splitlines() if line and not line.startswith('#')]
    parted = [line.split('--hash=') for line in lines]
    return {words[0].strip(): [f'--hash={word.strip()}' for word in words[1:]] for words in parted}


def installed(path: Path, python: str, system: str) -> dict[str, str]:
    """Name and version of what pip takes from a file on a Python and a system."""
    environment = {
        'python_version': python,
        'python_full_version': f'{python}.9',
        'sys_platform': system,
        'platform_machine': MACHINES[system],
        'platform_python_implementation': 'CPython',
    }
    every = [Requirement(line) for line in entries(path)]
    taken = [one for one in every if one.marker is None or one.marker.evaluate(environment)]
    versions = {one.name: str(one.specifier).removeprefix('==') for one in taken}
    assert len(versions) == len(taken), 'a package is named twice'
    return versions


@pytest.mark.parametrize('system', MACHINES)
@pytest.mark.parametrize('python', PYTHONS)
def test_the_lock_holds_the_verified_versions(python: str, system: str) -> None:
    constraints = installed(ROOT / 'constraints.txt', python, system)
    locked = installed(LOCK, python, system)
    own = {name: version for name, version in locked.items() if not LEFT_TO_TORCH.fullmatch(name)}
    assert own == {name: version for name, version in constraints.items() if name not in ONLY_IN_CONSTRAINTS}
    assert ('triton' in locked) == ('nvidia-cublas' in locked) == (system == 'linux')
    assert installed(HEADLESS, python, system).items() <= constraints.items()


@pytest.mark.parametrize('path', [LOCK, HEADLESS], ids=lambda path: path.name)
def test_every_locked_file_has_its_hash_and_no_host_is_named(path: Path) -> None:
    found = entries(path)
    assert found
    for requirement, hashes in found.items():
        assert hashes, requirement
        assert all(HASH.fullmatch(one) for one in hashes), requirement
    text = path.read_text()
    assert '://' not in text
    assert not re.search(r'--(extra-)?index-url|--find-links|--trusted-host|--no-index', text)

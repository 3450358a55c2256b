"""What is installed, what is too old, too new or faulty, and the command that mends it.

The ranges are this package's own requirements, read from its installed metadata. What a version cannot tell (a broken
binary, a missing system library) is tried by mobileone_mm.doctor.trials; nothing that could fail is imported here.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from mobileone_mm.doctor.trials import FAILED, PACKAGE, SEEN, Outcome, pip, source, trials, try_all

HOSTS = ('mmdet', 'mmsegmentation', 'mmpretrain')
# Something can be trained and exported without these.
OPTIONAL = (
    'ftfy',
    'imagecorruptions-imaug',
    'onnx',
    'onnxruntime',
    'onnxscript',
    'openmim',
    'regex',
    'scikit-learn',
    'supervision',
    'timm',
    *HOSTS,
)
DEVELOPMENT = 'dev'  # the one extra that is no concern of a user
TWIN = {'mmcv-lite': 'mmcv'}  # the same modules under another name
FINE, MISSING, UNUSED, UNTRIED = 'fine', 'missing', 'missing (optional)', 'not tried'


@dataclass(frozen=True)
class Finding:
    """One row of the table.

    Attributes:
        item: a distribution, or what was tried.
        installed: its version or what was seen, '-' for nothing.
        expected: the range, or ''.
        verdict: 'fine', 'too old', 'too new', 'faulty', 'missing', 'missing (optional)' or 'not tried'.
        detail: what is wrong, for people; '' where nothing is.
        mend: the shell command that mends it; '' where nothing is to be mended.
    """

    item: str
    installed: str
    expected: str
    verdict: str
    detail: str = ''
    mend: str = ''

    @property
    def blocks(self) -> bool:
        """Whether training or export cannot work because of it."""
        return self.verdict not in (FINE, UNUSED, UNTRIED)


def verdict_on(version: str, expected: SpecifierSet) -> str:
    """'fine', 'too old' or 'too new' for an installed version."""
    installed = Version(version)
    if expected.contains(installed, prereleases=True):
        return FINE
    lowest = [Version(rule.version.removesuffix('.*')) for rule in expected if rule.operator in ('>=', '>', '==', '~=')]
    return 'too old' if any(installed < bound for bound in lowest) else 'too new'


def shown(expected: SpecifierSet) -> str:
    """A range with its lower bound first."""
    return ','.join(sorted(map(str, expected), key=lambda rule: rule.startswith('<')))


def judge(requirement: Requirement) -> Finding:
    """Hold what is installed of one distribution against its range; the twin of a missing one is as good."""
    name, expected = canonicalize_name(requirement.name), shown(requirement.specifier)
    version = installed_version(name)
    if version is None and name in TWIN and (version := installed_version(TWIN[name])) is not None:
        name = canonicalize_name(TWIN[name])
    mend = pip('install', f'{name}{expected}')
    if version is None:
        return Finding(name, '-', expected, UNUSED if name in OPTIONAL else MISSING, 'not installed', mend)
    verdict = verdict_on(version, requirement.specifier)
    if verdict == FINE:
        return Finding(name, version, expected, FINE)
    return Finding(name, version, expected, verdict, f'{version} is installed, {expected} is expected', mend)


def installed_version(name: str) -> str | None:
    """The version of an installed distribution by its metadata, None if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def requirements() -> list[Requirement]:
    """What this package asks for, with its extras for users, by name.

    Raises:
        PackageNotFoundError: it is not installed itself.
    """
    asked: dict[str, Requirement] = {}
    extras = [extra for extra in metadata.metadata(PACKAGE).get_all('Provides-Extra') or [] if extra != DEVELOPMENT]
    for text in metadata.requires(PACKAGE) or []:
        requirement = Requirement(text)
        wanted = requirement.marker is None or any(requirement.marker.evaluate({'extra': extra}) for extra in extras)
        if wanted and canonicalize_name(requirement.name) != PACKAGE:
            asked[canonicalize_name(requirement.name)] = requirement
    return [asked[name] for name in sorted(asked)]


def judge_python() -> Finding:
    """The running interpreter against `requires-python`."""
    expected, running = SpecifierSet(metadata.metadata(PACKAGE)['Requires-Python']), platform.python_version()
    verdict = verdict_on(running, expected)
    if verdict == FINE:
        return Finding('python', running, shown(expected), FINE)
    detail = f'{running} is running, {shown(expected)} is expected'
    return Finding('python', running, shown(expected), verdict, detail, 'make clean setup PYTHON=python3.12')


def judge_mmcv_pair() -> list[Finding]:
    """mmcv and mmcv-lite write the same files: to have both is right only where they are of one version."""
    compiled, lite = installed_version('mmcv'), installed_version('mmcv-lite')
    if compiled is None or lite is None:
        return []
    if compiled == lite:
        return [Finding('mmcv', compiled, f'=={lite}', FINE)]
    mend = f'{pip("uninstall", "--yes", "mmcv", "mmcv-lite")} && {pip("install", f"mmcv-lite=={lite}")}'
    detail = f'mmcv-lite {lite} has written over its files'
    return [Finding('mmcv', compiled, f'=={lite}', 'faulty', detail, mend)]


def judge_hosts(findings: Sequence[Finding]) -> list[Finding]:
    """Nothing can be trained without one of the OpenMMLab packages."""
    if any(finding.item in HOSTS and finding.installed != '-' for finding in findings):
        return []
    mend = pip('install', f'{source()}[detection]')
    return [Finding('a host', '-', 'any one', MISSING, f'none of {", ".join(HOSTS)} is installed', mend)]


def judge_trial(outcome: Outcome) -> Finding:
    """What a trial printed, or the fault that its error shows."""
    if outcome.state == SEEN:
        return Finding(outcome.trial.item, outcome.text, '', FINE)
    if outcome.state == FAILED:
        last = (outcome.text.strip().splitlines() or ['no message'])[-1]
        return Finding(outcome.trial.item, '-', '', 'faulty', last, outcome.trial.mend(outcome.text))
    return Finding(outcome.trial.item, f'needs {outcome.text}', '', UNTRIED)


def examine() -> list[Finding]:
    """All findings: versions first, then what was tried."""
    try:
        findings = [judge_python(), *map(judge, requirements())]
    except metadata.PackageNotFoundError:
        mend = pip('install', '--constraint', 'constraints.txt', '--editable', '.[all]')
        detail = 'a clone that is not installed has no start-up files'
        findings = [Finding(PACKAGE, '-', '', MISSING, detail, mend)]
    findings += judge_mmcv_pair()
    findings += judge_hosts(findings)
    wanted = [trial for trial in trials() if trial.only_with is None or installed_version(trial.only_with) is not None]
    return findings + [judge_trial(outcome) for outcome in try_all(wanted)]


def table(findings: Sequence[Finding]) -> str:
    """The findings as aligned text, one a line."""
    rows = [('item', 'installed', 'expected', 'verdict')]
    rows += [(finding.item, finding.installed, finding.expected, finding.verdict) for finding in findings]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [[cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)] for row in rows]
    return '\n'.join('  '.join(line) for line in lines)

"""What a demo of a task brings; the rest is the same steps and the same page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobileone_mm.demo.steps import BEST, FOLDER, Step

DATA = 'data'  # in the demo's folder: the drawn set
FOUND = 'test/predictions'  # there, too: what the trained checkpoint finds, where its metric writes it
PREDICTIONS = 'predictions'  # there, too: what the package finds beside the trained model, and their list


@dataclass(frozen=True)
class Demo:
    """A demo of one task.

    Attributes:
        noun: what its models are called; the package has this name.
        model: what is trained, in words.
        config: the shipped config of it, by name.
        drawing: options of `toy-data`.
        testing: options of `test`, beside its folder.
        pictures: the validation pictures, as `predict` takes them.
        metrics: keys of the scores that are shown, by the names that they are shown under.
        classes: what is told apart, by label.
        own: options of `init`, besides the name and the folder, for a set such as the demo's.
        truth: what the drawn set has to be found, in words, from the demo's folder.
        agreed: how far the package and the trained model agree, in words, from the list of predictions.
        interest: how much a picture tells, from its entry in that list; the page shows the one that tells most.
        shown: what this picture is, and what differs in such pictures, in words.
        draw: writes the sheet of pictures to a path, from the demo's folder.
    """

    noun: str
    model: str
    config: str
    drawing: str
    testing: str
    pictures: str
    metrics: Mapping[str, str]
    classes: tuple[str, ...]
    own: tuple[str, ...]
    truth: Callable[[Path], str]
    agreed: Callable[[Mapping[str, Any]], str]
    interest: Callable[[Mapping[str, Any]], float]
    shown: str
    draw: Callable[[Path, Path], None]

    @property
    def package(self) -> str:
        """The name of the package."""
        return f'{self.noun}.mlpackage'

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is run, in order."""
        data, package, trained = f'{FOLDER}/{DATA}', f'{FOLDER}/{self.package}', f'{self.config} {BEST}'
        return (
            Step('data', 'draw a set of shapes', f'toy-data {data} {self.drawing}'),
            Step(
                'train', f'train {self.model} on it, for minutes', f'train {self.config} --work-dir {FOLDER}/training'
            ),
            Step('test', 'test the best checkpoint', f'test {trained} --work-dir {FOLDER}/test{self.testing}'),
            Step(
                'fuse',
                'fold the branches of every block into one convolution',
                f'fuse {trained} --out {FOLDER}/fused.pth',
            ),
            Step(
                'export',
                'write the Core ML package, compare every form with the one before, and score it beside the model',
                f'export {trained} --out {package} --report {FOLDER}/export.json --evaluate',
            ),
            Step(
                'check', 'open the saved package again and check it', f'verify {package} --report {FOLDER}/verify.json'
            ),
            Step(
                'look',
                'draw what the package finds, beside what the trained model does',
                f'predict {package} {self.pictures} --out {FOLDER}/{PREDICTIONS} --compare {trained}',
            ),
        )

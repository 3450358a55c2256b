"""The lines that run an exported file in an app or a program: Swift for a package, Python for ONNX."""

import re
from importlib import resources
from pathlib import Path
from string import Template

from mobileone_mm.artifact.card import ArtifactInfo
from mobileone_mm.tasks.detection.options import PACKAGE_ENDING


def usage(path: str | Path, info: ArtifactInfo) -> tuple[str, str]:
    """What to do, in a sentence or two, and the lines for it.

    The Swift lines are those of docs/swift.md, with the thresholds, and the class that Xcode makes of the file's name.
    """
    path = Path(path)
    width, height = info.input_size
    if path.suffix == PACKAGE_ENDING:
        model = re.sub(r'\W', '_', path.stem)
        intro = f'Drag {path.name} into Xcode, which makes the class {model} of it.'
        lines = _template('use.swift')
    else:
        model, lines = '', _template('use_onnx.txt')
        intro = 'In Python, with onnxruntime and opencv-python.'
    return intro, lines.substitute(
        model=model,
        file=repr(path.name),
        classes=repr(list(info.classes)),
        width=width,
        height=height,
        iou_threshold=f'{info.iou_threshold:g}',
        confidence_threshold=f'{info.confidence_threshold:g}',
    )


def _template(name: str) -> Template:
    return Template(resources.files(__package__).joinpath('templates', name).read_text(encoding='utf-8'))

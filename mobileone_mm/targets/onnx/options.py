"""What can be chosen about an ONNX file."""

from dataclasses import dataclass

from mobileone_mm.flags import typed


@dataclass(frozen=True)
class OnnxOptions:
    """Options of an ONNX file.

    Attributes:
        nms: of a detector: whether it ends in suppression, or gives all boxes.
    """

    nms: bool = typed(False, '--nms', 'detector as .onnx: with suppression; without it, raw boxes', action='store_true')

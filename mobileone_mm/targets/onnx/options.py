"""What can be chosen about an ONNX file."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OnnxOptions:
    """Options of an ONNX file.

    Attributes:
        nms: of a detector: whether it ends in suppression, or gives all boxes.
    """

    nms: bool = False

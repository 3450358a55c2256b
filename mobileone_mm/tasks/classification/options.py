"""What can be chosen about an exported classifier, whatever its format."""

from dataclasses import dataclass

from mobileone_mm.errors import UsageError
from mobileone_mm.flags import typed

YES, NO = 'yes', 'no'


@dataclass(frozen=True)
class ClassificationOptions:
    """Options of a classifier.

    Attributes:
        crop_inside: where the config resizes the short side to more than it cuts out of the middle (256 and 224, say):
            'yes' takes a picture of the larger size and cuts inside, which is what the model was tested with; 'no'
            takes one of the smaller size, in which whoever gives it has more of the picture. None is 'yes' where
            there is something to crop.

    Raises:
        UsageError: a value is not known.
    """

    crop_inside: str | None = typed(
        None,
        '--crop-inside',
        f'classifier: {YES} takes all that is resized and crops inside, {NO} a picture of the size of the crop ({YES}, '
        'where the test crops anything off)',
    )

    def __post_init__(self) -> None:
        if self.crop_inside not in (None, YES, NO):
            raise UsageError(f'`crop_inside`: {self.crop_inside!r} given, expected {YES} or {NO}')


@dataclass(frozen=True)
class FramedOptions(ClassificationOptions):
    """The same, with what a config adds.

    Attributes:
        seen: px of the side of the square in the middle that the network sees; None where it sees all of the picture.
    """

    seen: int | None = None

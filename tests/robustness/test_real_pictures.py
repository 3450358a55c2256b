"""Apple's own S0 on 200 pictures of ImageNet: as right as it is known to be, and less so the more noise they have."""

from pathlib import Path

from mobileone_mm.robustness.measure import measure
from mobileone_mm.robustness.sets import Choice, Folders

TOP1, TOP5, PICTURES = 157, 187, 200  # one picture either way for another JPEG decoder
WEIGHTS = 'weights/mobileone_s0/mobileone_s0.pth.tar'


def test_clean_pictures_and_pictures_with_noise(real_data: Path) -> None:
    root = real_data / 'data/imagenet_sample200/val'
    (clean,) = measure('mobileone_s0_in1k', real_data / WEIGHTS, Folders(clean=root), Choice()).parts
    assert (clean.pictures, clean.there, len(clean.lacking)) == (PICTURES, PICTURES, 800)
    assert abs(clean.top1 * PICTURES / 100 - TOP1) <= 1.01
    assert abs(clean.top5 * PICTURES / 100 - TOP5) <= 1.01
    choice = Choice(('gaussian_noise',), (1, 3, 5))
    folders = Folders(clean=root, make=True)
    results = measure('mobileone_s0_in1k', real_data / WEIGHTS, folders, choice, limit=100)
    assert results.variant == 's0'
    whole, little, more, most = (part.top1 for part in results.parts)
    assert whole - 10 > little > more + 10 > most + 20

"""Published figures: what AlexNet gets wrong on ImageNet-C, and what the paper says of MobileOne."""

from collections.abc import Mapping

from mobileone_mm.datasets.corrupt import CORRUPTIONS, SEVERITIES

# Top-1 error of AlexNet, as a fraction, at severities 1 to 5: the raw errors behind table 1 of Hendrycks and Dietterich
# (arXiv 1903.12261; github.com/hendrycks/robustness, "Calculating the mCE"). The means of the rows are the figures that
# others divide by.
ALEXNET: Mapping[str, tuple[float, ...]] = {
    'gaussian_noise': (0.69528, 0.82542, 0.93554, 0.98138, 0.99452),
    'shot_noise': (0.71224, 0.85108, 0.93574, 0.98182, 0.99146),
    'impulse_noise': (0.78374, 0.89808, 0.9487, 0.9872, 0.99548),
    'defocus_blur': (0.65624, 0.73202, 0.85036, 0.91364, 0.94714),
    'glass_blur': (0.64308, 0.75054, 0.88806, 0.91622, 0.93344),
    'motion_blur': (0.5843, 0.70048, 0.82108, 0.8975, 0.92638),
    'zoom_blur': (0.70008, 0.76992, 0.80784, 0.84198, 0.87198),
    'snow': (0.71726, 0.88392, 0.86468, 0.9187, 0.94952),
    'frost': (0.6139, 0.79734, 0.8879, 0.89942, 0.9343),
    'fog': (0.67474, 0.7605, 0.84378, 0.8726, 0.945),
    'brightness': (0.4514, 0.48502, 0.54048, 0.62166, 0.7244),
    'contrast': (0.64548, 0.7615, 0.88874, 0.9776, 0.9927),
    'elastic_transform': (0.52596, 0.70116, 0.55686, 0.64076, 0.80554),
    'pixelate': (0.52218, 0.5462, 0.73728, 0.87092, 0.91262),
    'jpeg_compression': (0.51002, 0.54718, 0.57294, 0.65458, 0.74778),
}
CLEAN, OF_C, OF_A, OF_R, SKETCH = 'ImageNet', 'ImageNet-C', 'ImageNet-A', 'ImageNet-R', 'ImageNet-Sketch'
PICTURES = {CLEAN: 50_000, OF_C: 50_000, OF_A: 7_500, OF_R: 30_000, SKETCH: 50_889}  # of ImageNet-C, 75 times
# MobileOne, table 12: top-1 in percent; of ImageNet-C, the mCE.
PAPER: Mapping[str, Mapping[str, float]] = {
    's0': {CLEAN: 71.4, OF_C: 86.4, OF_A: 2.3, OF_R: 32.9, SKETCH: 19.3},
    's1': {CLEAN: 75.9, OF_C: 80.4, OF_A: 2.7, OF_R: 36.7, SKETCH: 22.6},
    's2': {CLEAN: 77.4, OF_C: 73.6, OF_A: 4.8, OF_R: 40.0, SKETCH: 26.4},
    's3': {CLEAN: 78.1, OF_C: 71.6, OF_A: 7.1, OF_R: 42.1, SKETCH: 28.5},
    's4': {CLEAN: 79.4, OF_C: 68.1, OF_A: 10.8, OF_R: 41.8, SKETCH: 29.2},
}


def corruption_error(name: str, errors: Mapping[int, float]) -> float:
    """CE of a corruption in percent of AlexNet's: the sum of a model's top-1 errors over the sum of AlexNet's.

    Args:
        name: of the corruption.
        errors: a model's, as fractions, by severity; where some of the five are missing, AlexNet's count neither.
    """
    return 100 * sum(errors.values()) / sum(ALEXNET[name][severity - SEVERITIES[0]] for severity in errors)


def mean_corruption_error(errors: Mapping[str, Mapping[int, float]]) -> float:
    """Mean of the corruptions' CE, in percent: mCE, where all fifteen are there at all five severities."""
    return sum(corruption_error(name, errors[name]) for name in errors) / len(errors)


def is_whole(errors: Mapping[str, Mapping[int, float]]) -> bool:
    """Whether all corruptions are there, each at all severities."""
    return set(errors) == set(CORRUPTIONS) and all(set(found) == set(SEVERITIES) for found in errors.values())

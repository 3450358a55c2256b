"""mCE by hand, and AlexNet's figures as everybody divides by them."""

import pytest

from mobileone_mm.datasets.corrupt import CORRUPTIONS, SEVERITIES
from mobileone_mm.robustness.published import ALEXNET, PAPER, corruption_error, is_whole, mean_corruption_error

# Means over the severities, as augmix and others have them from github.com/hendrycks/robustness.
MEANS = (
    0.886428, 0.894468, 0.922640, 0.819880, 0.826268, 0.785948, 0.798360, 0.866816, 0.826572, 0.819324, 0.564592,
    0.853204, 0.646056, 0.717840, 0.606500,
)  # fmt: skip
# Top-1 and CE of torchvision's ResNet-50 in percent, as others computed them from ImageNet-C.
RESNET50 = {
    'brightness': (68.02, 56.64),
    'contrast': (39.06, 71.43),
    'fog': (45.83, 66.11),
    'glass_blur': (26.79, 88.61),
}


def test_alexnets_means_are_the_published_ones() -> None:
    assert tuple(ALEXNET) == CORRUPTIONS
    found = [sum(ALEXNET[name]) / 5 for name in CORRUPTIONS]
    assert found == pytest.approx(MEANS, abs=5e-7)


def test_alexnet_itself_has_a_hundred() -> None:
    errors = {name: dict(zip(SEVERITIES, ALEXNET[name], strict=True)) for name in CORRUPTIONS}
    assert mean_corruption_error(errors) == pytest.approx(100)


def test_a_mean_error_gives_the_ce_that_others_compute() -> None:
    for name, (top1, expected) in RESNET50.items():
        errors = dict.fromkeys(SEVERITIES, 1 - top1 / 100)
        assert corruption_error(name, errors) == pytest.approx(expected, abs=0.01)


def test_where_severities_are_left_out_alexnets_are_too() -> None:
    assert corruption_error('fog', {1: 0.5, 4: 0.7}) == pytest.approx(100 * 1.2 / (0.67474 + 0.8726))


def test_what_is_whole() -> None:
    errors = {name: dict.fromkeys(SEVERITIES, 0.5) for name in CORRUPTIONS}
    assert is_whole(errors)
    assert not is_whole({**errors, 'fog': {1: 0.5}})
    assert not is_whole({name: errors[name] for name in CORRUPTIONS[1:]})


def test_the_papers_figures_are_of_all_variants_and_sets() -> None:
    assert list(PAPER) == ['s0', 's1', 's2', 's3', 's4']
    assert {len(row) for row in PAPER.values()} == {5}

"""How MobileOne's weights are named: by Apple (and by us), by mmpretrain, by timm and by CoreNet.

Pure functions from state dict to state dict; no file, no network, no module. All layouts hold the same tensors, so
a change of layout is a change of names and its way back restores them exactly. What this module knows of a file comes
from names and shapes alone. Apple's names are this package's.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mobileone_mm.errors import CheckpointError, printable, shown
from mobileone_mm.models.backbones.variants import ARCHITECTURES, BASE_CHANNELS, STEM_MAX_CHANNELS
from mobileone_mm.weights.layouts import APPLE, FUSED_PART, HOST_PREFIX, LAYOUTS, Layout, rename

State = Mapping[str, Tensor]

OFFICIAL_URL = 'https://docs-assets.developer.apple.com/ml-research/datasets/mobileone/mobileone_{}.pth.tar'
# (variant, form) -> Apple's ImageNet weights with their 1000-class classifier.
OFFICIAL_URLS = {(v, 'fused'): OFFICIAL_URL.format(v) for v in ARCHITECTURES} | {
    (v, 'trained'): OFFICIAL_URL.format(f'{v}_unfused') for v in ARCHITECTURES
}

CLASSIFIER = ('linear.weight', 'linear.bias')
COUNTER = '.num_batches_tracked'  # the one entry of a MobileOne that is a whole number
SHOWN_KEYS = 4  # names in an error message; more do not help


@dataclass(frozen=True)
class Weights:
    """A state dict sorted into what it holds, under our names.

    Attributes:
        layout: name of the layout it came in.
        prefix: what stood before the backbone's names.
        backbone: the backbone's entries under our names ('stage0.reparam_conv.weight').
        classifier: 'linear.weight' and 'linear.bias', or empty.
        rest: entries of other parts of a larger model (neck, head), and of unknown ones, under their own names.
    """

    layout: str
    prefix: str
    backbone: dict[str, Tensor]
    classifier: dict[str, Tensor] = field(default_factory=dict)
    rest: dict[str, Tensor] = field(default_factory=dict)

    @property
    def form(self) -> str:
        """'trained' or 'fused'."""
        return 'fused' if any(f'.{FUSED_PART}.' in key for key in self.backbone) else 'trained'

    @property
    def num_classes(self) -> int | None:
        """Rows of the classifier, None without one."""
        return len(self.classifier[CLASSIFIER[0]]) if self.classifier else None

    @property
    def variant(self) -> str:
        """'s0' to 's4' by widths, depths and squeeze-excite, else 'custom'."""
        shape = _shape_of(self.backbone)
        return next(
            (name for name in ARCHITECTURES if _shape_of_variant(name) == shape),
            'custom',
        )

    @property
    def num_conv_branches(self) -> int | None:
        """k of stage 1, None in the fused form."""
        numbers = re.findall(r'stage1\.0\.rbr_conv\.(\d+)\.conv\.weight', ' '.join(self.backbone))
        return len(numbers) or None

    @property
    def short(self) -> str:
        """'fused S0', 'trained S1 with k=4' (k only where it is not the variant's own)."""
        k = self.num_conv_branches
        named = self.variant in ARCHITECTURES
        text = f'{self.form} {self.variant.upper() if named else self._unnamed}'
        if k is not None and not (named and k == ARCHITECTURES[self.variant]['num_conv_branches'][0]):
            text += f' with k={k}'
        lacking = [kind for kind in ('scale', 'skip') if not any(f'.rbr_{kind}.' in key for key in self.backbone)]
        if lacking and self.form == 'trained':
            text += f' without {" and ".join(lacking)} branches'
        return text

    @property
    def _unnamed(self) -> str:
        depths = _shape_of(self.backbone)[1]
        last = next((stage for stage, blocks in enumerate(depths) if not blocks), len(depths))
        return 'MobileOne of custom widths' if last == len(depths) else f'MobileOne cut after stage {last}'

    @property
    def misplaced(self) -> list[str]:
        """Names in `rest` that no other part of a model can have: all of a bare backbone, and those of a stage."""
        stages = (HOST_PREFIX, *(f'{layout.stem}.' for layout in LAYOUTS.values()), 'stage')
        return [key for key in self.rest if not self.prefix or key.startswith(stages)]

    def __str__(self) -> str:
        text = f'a {self.short}'
        if self.rest and not self.prefix:
            text += f' beside {listed(self.rest)} of no known place'
        elif self.rest:
            text += f' inside a larger model ({shown(sorted({key.split(".")[0] for key in self.rest}))})'
        elif self.classifier:
            text += f' with a {self.num_classes}-class classifier'
        else:
            text += ' without a classifier'
        return f'{text} ({LAYOUTS[self.layout].title} keys)'


def parse(state: State) -> Weights:
    """Sort a state dict of any layout into backbone, classifier and rest.

    Raises:
        CheckpointError: it holds no MobileOne, one that is half fused, half a classifier, or weights that are whole
            numbers.
    """
    layout, prefix = _recognise(state)
    classifier_path = 'head.fc' if prefix else layout.classifier
    backbone, classifier, rest = {}, {}, {}
    for key, value in state.items():
        ours = rename(key.removeprefix(prefix), layout, APPLE) if key.startswith(prefix) else None
        if ours is not None:
            backbone[ours] = value
        elif classifier_path and key in (f'{classifier_path}.weight', f'{classifier_path}.bias'):
            classifier[f'linear.{key.rpartition(".")[2]}'] = value
        else:
            rest[key] = value
    if len(classifier) == 1 and not (prefix and rest):
        raise CheckpointError(f'half a classifier: {listed(classifier)} given, expected {" and ".join(CLASSIFIER)}')
    if prefix and rest:  # part of a larger model's head
        rest = {key: value for key, value in state.items() if key in rest or key.startswith(f'{classifier_path}.')}
        classifier = {}
    weights = Weights(layout.name, prefix, backbone, classifier, rest)
    if weights.form == 'fused' and any('.rbr_' in key for key in backbone):
        raise CheckpointError(
            'some blocks of this file are fused and some are not; expected all or none: fuse the trained file again'
        )
    whole = [
        key
        for key, value in (weights.backbone | weights.classifier).items()
        if not (value.is_floating_point() or key.endswith(COUNTER))
    ]
    if whole:
        found = name_of((weights.backbone | weights.classifier)[whole[0]].dtype)
        raise CheckpointError(f'{listed(whole)} of type {found}, expected floating-point numbers')
    return weights


def convert(state: State, to: str) -> dict[str, Tensor]:
    """A whole file in layout `to` (a key of `LAYOUTS`), of the same tensors in the same order.

    Raises:
        CheckpointError: it holds no MobileOne, or entries that no layout has a place for.
    """
    weights = parse(state)
    layout = LAYOUTS[to]
    homeless = [*weights.rest, *(() if layout.classifier else weights.classifier)]
    if homeless:
        also = ' with or without its linear classifier' if layout.classifier else ''
        raise CheckpointError(
            f'this is {weights}: {listed(homeless)} have no place in the {layout.title} layout; '
            f'only a backbone{also} can be converted'
        )
    renamed = {f'{layout.prefix}{rename(key, APPLE, layout)}': value for key, value in weights.backbone.items()}
    renamed |= {f'{layout.classifier}.{key.partition(".")[2]}': value for key, value in weights.classifier.items()}
    assert len(renamed) == len(state), 'two entries were given one name'
    return renamed


def describe(state: State) -> str:
    """What a state dict looks like: 'a fused S0 with a 1000-class classifier (Apple keys)', 'no MobileOne: no keys'."""
    try:
        return described(parse(state))
    except CheckpointError as error:
        return described(error)


def described(parsed: Weights | CheckpointError) -> str:
    """The same, of what `parse` returned or raised."""
    return str(parsed).removeprefix('this is ')


def unwrap(contents: object) -> dict[str, Tensor]:
    """The state dict inside what a .pth file holds, without wrapper keys and without the `module.` of data parallel.

    mmengine stores the averaged weights of an EMA run as `state_dict`; `ema_state_dict` is read only where that is
    missing.

    Raises:
        CheckpointError: there is no dict of tensors in it.
    """
    inner = contents
    for name in (
        'state_dict',
        'model_state_dict',
        'ema_state_dict',
        'state_dict_ema',
        'model',
    ):
        if isinstance(inner, Mapping) and isinstance(inner.get(name), Mapping):
            inner = inner[name]
            break
    if not isinstance(inner, Mapping):
        raise CheckpointError(f'holds a {type(inner).__name__}; expected a state dict: names with their tensors')
    state = {key: value for key, value in inner.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if state and all(key.startswith('module.') for key in state if key != 'steps'):  # `steps` counts EMA updates
        state = {key.removeprefix('module.'): value for key, value in state.items() if key != 'steps'}
    if not state or len(state) < len(inner) - ('steps' in inner):
        raise CheckpointError(f'holds {listed(list(map(str, inner)))}; expected a state dict: names with their tensors')
    return state


def name_of(dtype: torch.dtype) -> str:
    """'int64' of torch.int64."""
    return str(dtype).removeprefix('torch.')


def listed(keys: Iterable[str]) -> str:
    """'3 keys (a, b, c)', shortened to the first few."""
    names = list(keys)
    first = ', '.join(map(printable, names[:SHOWN_KEYS])) + (', ...' if len(names) > SHOWN_KEYS else '')
    return f'{len(names)} key{"" if len(names) == 1 else "s"} ({first})' if names else 'no keys'


def _recognise(state: State) -> tuple[Layout, str]:
    """The layout and prefix that give a place to most keys."""
    best, best_count = None, 0
    for layout in LAYOUTS.values():
        for prefix in ('', HOST_PREFIX):
            count = sum(
                key.startswith(prefix) and rename(key[len(prefix) :], layout, APPLE) is not None for key in state
            )
            if count > best_count:
                best, best_count = (layout, prefix), count
    if best is None:
        raise CheckpointError(f'this is no MobileOne: {listed(state)}')
    return best


Shape = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def _shape_of(backbone: State) -> Shape:
    """(channels of the stem and stages 1-4, blocks of stages 1-4, squeeze-excite blocks of stages 1-4)."""
    units: dict[str, int] = {}
    for key, value in backbone.items():
        if key.endswith('.weight') and ('.rbr_conv.' in key or FUSED_PART in key) and value.dim() == 4:
            units[re.match(r'stage\d(\.\d+)?', key)[0]] = len(value)  # type: ignore[index]
    squeezed = {key.rpartition('.se.')[0] for key in backbone if '.se.' in key}
    stages = [[u for u in units if u.startswith(f'stage{s}.')] for s in range(1, 5)]
    widths = [units[max(us, key=lambda u: int(u.partition('.')[2]))] if us else 0 for us in stages]
    return (
        (units.get('stage0', 0), *widths),
        tuple(len(us) // 2 for us in stages),
        tuple(len(squeezed & set(us)) // 2 for us in stages),
    )


def _shape_of_variant(name: str) -> Shape:
    arch = ARCHITECTURES[name]
    widths = tuple(int(base * factor) for base, factor in zip(BASE_CHANNELS, arch['width_factor'], strict=True))
    return (
        (min(STEM_MAX_CHANNELS, widths[0]), *widths),
        tuple(arch['num_blocks']),
        tuple(arch['num_se_blocks']),
    )

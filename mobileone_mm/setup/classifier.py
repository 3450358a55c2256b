"""A classifier's config from folders of pictures, one for each class."""

from pathlib import Path

from mobileone_mm.datasets.class_files import pictures_in
from mobileone_mm.errors import DataError, shown
from mobileone_mm.openmmlab.own_config import with_settings
from mobileone_mm.pictures.endings import PICTURE_ENDINGS
from mobileone_mm.setup.amounts import amounts_for
from mobileone_mm.setup.folder import KINDS
from mobileone_mm.setup.picture_sizes import picture_sizes
from mobileone_mm.setup.proposal import Draft, Proposal, Wishes, read, title
from mobileone_mm.setup.text import comment, counted, sizes_said

SIDE = 288  # px of the input; trained at 224, which is the size of the weights it starts from
SMALLER = 224  # px, offered where speed counts more
HELD_OUT = 0.2  # of a set without validation pictures: ClassFolderDataset's own share

LARGE = (
    f'input_size above: {SIDE} px show more than {SMALLER}, for {(SIDE / SMALLER) ** 2:.2f} times the work on a phone. '
    f'If speed matters more, use --input-size {SMALLER}, or write {SMALLER} in that line; train_size follows.'
)


def propose(draft: Draft, wishes: Wishes) -> Proposal:
    """The config for a set of class folders, and what it was chosen by.

    Raises:
        DataError: a class has no picture.
        UsageError: an input that is no square is asked for.
    """
    side = wishes.side(SIDE)
    root, val_folder = Path(draft.root), draft.lines['val_folder']
    train = {name: pictures_in(str(root / draft.lines['train_folder'] / name))[0] for name in draft.classes}
    if empty := [repr(str(root / draft.lines['train_folder'] / name)) for name, paths in train.items() if not paths]:
        raise DataError(
            f'{root}: class folders without a picture: {shown(empty)}; add files that end in '
            f'{", ".join(PICTURE_ENDINGS)} to each, or move it out of the set'
        )
    every = [path for paths in train.values() for path in paths]
    sizes = picture_sizes(every)
    held = sum(max(1, round(HELD_OUT * len(paths))) for paths in train.values())
    val = held if val_folder is None else len(pictures_in(str(root / val_folder))[0])
    count = len(every) - held if val_folder is None else len(every)
    amounts = amounts_for('classification', count)
    settings = [
        f'# --- chosen for {count:,} pictures of {sizes_said(sizes)} ---',
        *([] if wishes.input_size else comment(LARGE)),
        *amounts.lines(),
    ]
    plain = draft.text(input_size=side)
    text = with_settings(
        plain, title('A classifier', draft.root), wishes.variant, settings, {}, ('batch_size', 'max_epochs')
    )
    found = (
        f'{KINDS[draft.template]}: {count:,} training pictures, {val:,} for validation; {sizes_said(sizes)}',
        f'{len(train)} classes: {counted(list(train), [len(paths) for paths in train.values()])}',
    )
    with read(text) as config:
        train_size = config.train_size
    return Proposal(text, found, (f'input {side} x {side} px, trained on crops of {train_size} px', str(amounts)))

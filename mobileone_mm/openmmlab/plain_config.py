"""mmengine's config, as one whose text is read back as the same values: without double braces (`config_text`)."""

from pathlib import Path

from mmengine.config import Config
from mmengine.fileio import dump

from mobileone_mm.openmmlab.config_text import BRACES, without_double_braces

PYTHON, JSON = '.py', '.json'


class PlainConfig(Config):  # type: ignore[misc]  # mmengine is untyped
    """A config that is written, also into checkpoints, without double braces."""

    @property
    def pretty_text(self) -> str:
        """The text of a Python config."""
        return without_double_braces(super().pretty_text)

    def dump(self, file: str | Path | None = None) -> str | None:
        """Write it in the format that the file's ending says.

        Args:
            file: the file; without it, the text is returned, in the format that the config was read from.
        """
        text = self._text_for(Path(file or self.filename or PYTHON).suffix or PYTHON)
        if file is None:
            return text
        Path(file).write_text(text, encoding='utf-8')
        return None

    def _text_for(self, suffix: str) -> str:
        if suffix == PYTHON:
            return self.pretty_text
        text: str = dump(self.to_dict(), file_format=suffix.removeprefix('.'))
        if suffix == JSON:
            return text.replace(BRACES, r'{\u007b')
        if BRACES in text:  # YAML has escapes in double quotes only
            text = dump(self.to_dict(), file_format=suffix.removeprefix('.'), default_style='"')
        return without_double_braces(text)


def plain_config(config: Config) -> PlainConfig:
    """The same config, as one that is written without double braces."""
    made = PlainConfig.__new__(PlainConfig)
    made.__setstate__(config.__getstate__())
    return made

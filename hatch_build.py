"""What a wheel holds and an editable installation does not: the configs, in the folder that OpenMMLab's tools expect.

An editable installation reads them from the clone. Force-included there as well, they would be a second copy that goes
stale, in a folder named like the package.
"""

from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class OpenMMLabLayout(BuildHookInterface[BuilderConfig]):
    """Add `.mim` to the package, and the package's name for mim, which asks setuptools' own file for it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == 'editable':
            return
        distribution = self.build_config.builder.project_id
        build_data['force_include'] |= {
            'configs': 'mobileone_mm/.mim/configs',
            'model-index.yml': 'mobileone_mm/.mim/model-index.yml',
            'startup/top_level.txt': f'{distribution}.dist-info/top_level.txt',
        }

"""The package's doors: each leads to its function or class, none loads anything before it is used, all have types."""

import ast
import inspect
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import mobileone_mm
from mobileone_mm import errors

SOURCE = Path(str(mobileone_mm.__file__)).read_text()
FUNCTIONS = [name for name in mobileone_mm.__all__ if name in mobileone_mm._DOORS]
# A module of that name takes the door's place as soon as it is imported.
HIDDEN = [name for name in FUNCTIONS if find_spec(f'mobileone_mm.{name}') is not None]


def test_no_module_has_the_name_of_a_door() -> None:
    assert not HIDDEN


@pytest.mark.parametrize('name', sorted(set(FUNCTIONS) - set(HIDDEN)))
def test_a_door_leads_to_what_has_its_name(name: str) -> None:
    door = getattr(mobileone_mm, name)
    assert (door.__name__, callable(door)) == (name, True)


def test_the_others_are_the_errors() -> None:
    raised = {name for name, value in vars(errors).items() if inspect.isclass(value) and issubclass(value, Exception)}
    assert set(mobileone_mm.__all__) - set(FUNCTIONS) == raised
    assert all(getattr(mobileone_mm, name) is getattr(errors, name) for name in raised)


def test_what_a_type_checker_is_told_is_what_the_doors_do() -> None:
    (told,) = (node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    assert ast.unparse(told.test) == 'TYPE_CHECKING'
    names: dict[str, str] = {}
    for node in told.body:
        assert isinstance(node, ast.ImportFrom)
        names |= {alias.name: str(node.module).removeprefix('mobileone_mm.') for alias in node.names}
    assert names == mobileone_mm._DOORS
    assert sorted(FUNCTIONS) == sorted(names)


def test_the_doors_are_listed_and_other_names_are_refused() -> None:
    assert set(dir(mobileone_mm)) == {*mobileone_mm.__all__, '__version__'}
    with pytest.raises(AttributeError, match="module 'mobileone_mm' has no attribute 'fused'"):
        mobileone_mm.fused  # noqa: B018


def test_a_shipped_config_is_found_without_torch_or_mmengine() -> None:
    code = """
import sys
import mobileone_mm
assert mobileone_mm.config('ssd_mobileone_s2').endswith('/configs/detection/ssd_mobileone_s2.py')
assert not {'torch', 'numpy', 'mmengine'} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

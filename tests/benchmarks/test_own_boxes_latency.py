"""Latency of the variants of init's config, side by side."""

from pathlib import Path

import pytest
from own_folders import write_voc

import own_boxes_latency
from mobileone_mm.errors import UsageError


def test_a_line_for_each_variant_and_what_it_depends_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_voc(tmp_path / 'set', side=6)
    words = [str(data), '--variants', 'init', 'coarser_maps', '--rounds', '1', '--runs', '2']
    assert own_boxes_latency.main(words) == 0
    out, err = capsys.readouterr()
    rows = [line.strip('| ').split(' | ') for line in out.splitlines()[2:]]
    assert [row[0] for row in rows] == ['init', 'coarser_maps']
    assert all(float(row[-1].partition(' (')[0]) > 0 for row in rows)
    assert '1 round, in each 1 that does not count and 2 that do, models in turn' in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ['set']


def test_unknown_variants_are_refused() -> None:
    with pytest.raises(UsageError, match='--variants: k9 given, expected some of init, '):
        own_boxes_latency.main(['photos', '--variants', 'init', 'k9'])

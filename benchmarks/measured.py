"""How the benchmarks here write what they measured: tables, and a folder that holds the results of one run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from mobileone_mm.atomic import Kind, replacing
from mobileone_mm.outputs import MARKER, is_marked, mark_folder


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; None is an empty cell."""
    lines = [head, ['---'] * len(head), *([('' if cell is None else str(cell)) for cell in row] for row in rows)]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def results_kind(what: str, files: Collection[str]) -> Kind:
    """A folder that an earlier run wrote for the same benchmark, and nobody put anything else into."""

    def ours(folder: Path) -> bool:
        return is_marked(what, folder) and {entry.name for entry in folder.iterdir()} <= {MARKER, *files}

    return Kind(f'a folder of the benchmark {what!r}', ours, folder=True)


def write_results(out: Path, what: str, files: Mapping[str, bytes]) -> None:
    """Write a folder of results in one step, over an earlier run's only.

    Raises:
        UsageError: something else stands there.
    """
    with replacing(out, results_kind(what, files)) as fresh:
        fresh.mkdir()
        mark_folder(fresh, what)
        for name, content in files.items():
            (fresh / name).write_bytes(content)

"""How a graph is run."""

from pathlib import Path

import torch

from mobileone_mm.pictures.synthetic import drawn_picture
from mobileone_mm.tasks.task import run_graph
from tiny_detector import SIZE, graph_of


def test_a_graph_computes_with_one_thread_wherever_it_is(detector: tuple[Path, Path]) -> None:
    used: list[int] = []
    graph = graph_of(detector)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    hook = graph.normalise.register_forward_pre_hook(lambda *_: used.append(torch.get_num_threads()))
    try:
        run_graph(graph, drawn_picture(SIZE))
        assert (used, torch.get_num_threads()) == ([1], 2)
    finally:
        hook.remove()
        torch.set_num_threads(before)

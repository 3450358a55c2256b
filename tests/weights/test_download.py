"""Weight files by URL, from a server of the test's own: what is kept, under which name, and what never is."""

import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights import download, safe_load

PAGE = b'<!DOCTYPE html><html><body>Sign in to go on</body></html>'
RANK = """
import sys, torch
torch.distributed.init_process_group('gloo')
from mobileone_mm.errors import CheckpointError
from mobileone_mm.weights.download import local_file
for url in sys.argv[1:]:
    try:
        print('got', local_file(url).name)
    except CheckpointError as error:
        print('refused', error)
"""


def weights(value: float) -> bytes:
    file = io.BytesIO()
    torch.save({'a': torch.full((500,), value)}, file)
    return file.getvalue()


@dataclass
class Served:
    """What a server answers by path: the body, the length it claims, the status; and the paths that were asked for."""

    url: str = ''
    bodies: dict[str, bytes] = field(default_factory=dict)
    lengths: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    hang: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    found = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            if self.path == '/silent.pth':
                found.hang.wait(30)
                return
            if self.path in found.redirects:
                self.send_response(302)
                self.send_header('Location', found.redirects[self.path])
                self.end_headers()
                return
            body = found.bodies.get(self.path)
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header('Content-Length', str(found.lengths.get(self.path, len(body))))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None: ...

    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    found.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


def kept(folder: Path) -> list[Path]:
    return [path for path in (folder / 'torch').rglob('*') if path.is_file()]


def test_a_url_is_asked_for_once(served: Served) -> None:
    served.bodies['/a.pth'] = weights(1)
    paths = [download.local_file(f'{served.url}/a.pth') for _ in range(2)]
    assert paths[0] == paths[1]
    assert paths[0].name == 'a.pth'
    assert paths[0].read_bytes() == served.bodies['/a.pth']
    assert served.asked == ['/a.pth']


def test_two_urls_with_one_file_name_are_two_files(served: Served) -> None:
    names = ('/s0/best.pth', '/s1/best.pth', '/s1/best.pth?version=2')
    for value, name in enumerate(names):
        served.bodies[name] = weights(value)
    found = [safe_load.read(download.local_file(f'{served.url}{name}'))['a'][0].item() for name in names]
    assert found == [0, 1, 2]


@pytest.mark.parametrize('name', ['/', '/folder/..', '/a%2F..%2F..%2Fb.pth', '/%1b[31m.pth'])
def test_a_url_names_no_file_outside_the_cache(name: str, served: Served, tmp_path: Path) -> None:
    served.bodies[name] = weights(1)
    path = download.local_file(f'{served.url}{name}')
    assert path.resolve().is_relative_to(tmp_path / 'torch')
    assert str(path).isprintable()


@pytest.mark.parametrize(
    ('body', 'length', 'reason'),
    [
        (PAGE, None, r"this is no \.pth \(it begins with '<!DOCTYPE html>"),
        (b'', None, r'this is no \.pth \(it is empty\)'),
        (weights(1)[:1000], None, r'cannot be read .*, it is cut or damaged \(File is not a zip file\)'),
        (weights(1)[:1000], len(weights(1)), r'1000 of \d+ bytes came'),
        (weights(1).replace(b'\x3f', b'\x3e'), None, 'this file is damaged'),
        (None, None, 'HTTP Error 404: Not Found'),
    ],
)
def test_what_is_no_whole_weight_file_is_not_kept(
    body: bytes | None, length: int | None, reason: str, served: Served, tmp_path: Path
) -> None:
    if body is not None:
        served.bodies['/a.pth'] = body
    if length is not None:
        served.lengths['/a.pth'] = length
    url = f'{served.url}/a.pth'
    with pytest.raises(
        CheckpointError, match=rf'^{url}: cannot be downloaded \({reason}.*\); fetch it else'
    ) as refused:
        download.local_file(url)
    assert '\n' not in str(refused.value)
    assert kept(tmp_path) == []
    served.bodies['/a.pth'] = weights(2)
    served.lengths.clear()
    assert download.local_file(url).read_bytes() == weights(2)


def test_a_server_that_says_nothing_is_not_waited_for(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, 'TIMEOUT', 0.2)
    with pytest.raises(CheckpointError, match=r'silent\.pth: cannot be downloaded \(.*timed out.*\); fetch it'):
        download.local_file(f'{served.url}/silent.pth')
    assert kept(tmp_path) == []


def test_nobody_there_is_said(served: Served) -> None:
    with socket.socket() as unused:
        unused.bind(('127.0.0.1', 0))
        url = f'http://127.0.0.1:{unused.getsockname()[1]}/a.pth'
        with pytest.raises(CheckpointError, match=rf'{url}: cannot be downloaded \(.*refused.*\); fetch it elsewhere'):
            download.local_file(url)


def test_the_place_that_the_message_names_is_the_one_that_is_looked_at(served: Served) -> None:
    url = f'{served.url}/a.pth'
    with pytest.raises(CheckpointError) as refused:
        download.local_file(url)
    place = Path(re.search(r'save it as (\S+),', str(refused.value))[1])  # type: ignore[index]
    place.parent.mkdir(parents=True)
    place.write_bytes(weights(3))
    assert download.local_file(url) == place


def test_a_damaged_file_in_the_cache_is_fetched_again(served: Served) -> None:
    served.bodies['/a.pth'] = weights(1)
    path = download.local_file(f'{served.url}/a.pth')
    path.write_bytes(weights(1)[:-100])
    assert download.local_file(f'{served.url}/a.pth').read_bytes() == weights(1)
    assert len(served.asked) == 2


def test_a_digest_in_the_url_is_held_against_the_file(served: Served, tmp_path: Path) -> None:
    served.bodies['/a.pth'] = weights(1)
    right = hashlib.sha256(weights(1)).hexdigest()
    path = download.local_file(f'{served.url}/a.pth#sha256={right}')
    assert path == download.local_file(f'{served.url}/a.pth')
    wrong = right[::-1]
    with pytest.raises(CheckpointError, match=rf'its SHA-256 is {right}, {wrong} was expected'):
        download.local_file(f'{served.url}/a.pth#sha256={wrong}')
    assert kept(tmp_path) == [path]  # which is what the other one asks for
    with pytest.raises(CheckpointError, match=r'#sha256=12 given, expected #sha256= and 64 hexadecimal digits'):
        download.local_file(f'{served.url}/a.pth#sha256=12')


def test_a_digest_of_a_file_url_is_checked_as_well(tmp_path: Path) -> None:
    (tmp_path / 'a.pth').write_bytes(weights(1))
    url, right = (tmp_path / 'a.pth').as_uri(), hashlib.sha256(weights(1)).hexdigest()
    assert download.local_file(f'{url}#sha256={right}') == tmp_path / 'a.pth'
    with pytest.raises(CheckpointError, match=rf'a\.pth: its SHA-256 is {right}, {right[::-1]} was expected'):
        download.local_file(f'{url}#sha256={right[::-1]}')


def test_plain_http_is_refused_and_so_is_a_way_to_it(served: Served, tmp_path: Path) -> None:
    message = r'http: given, expected https:, which nobody on the way can change'
    with pytest.raises(CheckpointError, match=rf'^http://example\.com/a\.pth: {message}'):
        download.local_file('http://example.com/a.pth')
    served.redirects['/a.pth'] = 'http://example.com/a.pth'
    with pytest.raises(CheckpointError, match=rf'a\.pth: cannot be downloaded \(http://example\.com/a\.pth: {message}'):
        download.local_file(f'{served.url}/a.pth')
    served.redirects['/a.pth'] = f'{served.url}/b.pth'
    served.bodies['/b.pth'] = weights(1)
    assert download.local_file(f'{served.url}/a.pth').read_bytes() == weights(1)


def test_of_two_processes_on_a_machine_one_asks_and_both_know(served: Served) -> None:
    served.bodies['/a.pth'] = weights(1)
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    shared = {**os.environ, 'WORLD_SIZE': '2', 'MASTER_ADDR': '127.0.0.1', 'MASTER_PORT': str(port)}
    ranks = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', RANK, f'{served.url}/none.pth', f'{served.url}/a.pth'],
            env={**shared, 'RANK': str(rank), 'LOCAL_RANK': str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for rank in range(2)
    ]
    for rank in ranks:
        refused, got = rank.communicate(timeout=120)[0].splitlines()
        assert refused.startswith(f'refused {served.url}/none.pth: cannot be downloaded (HTTP Error 404')
        assert got == 'got a.pth'
    assert served.asked == ['/none.pth', '/a.pth']

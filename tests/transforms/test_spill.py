"""A piece that waits in a file is the piece that was put there."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from transforms.spill import IN_MEMORY, Spill


def test_pieces_of_many_threads_come_back_as_they_were(tmp_path: Path) -> None:
    spill = Spill(str(tmp_path))
    pieces = [bytes([i % 251]) * (i * 37 % 5000) for i in range(400)]
    with ThreadPoolExecutor(4) as threads:
        places = list(threads.map(spill.put, pieces))
        assert list(threads.map(spill.get, places)) == pieces
    assert max(map(len, places)) < 300


def test_without_a_folder_a_piece_travels_as_it_is() -> None:
    assert IN_MEMORY.get(IN_MEMORY.put(b"piece")) == b"piece"

"""What tests of work in units share: a tiny model, files of texts, and a way to answer them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.threads import on_one_thread

from limbeck.errors import StorageError
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.scale import unit_run
from limbeck.scale.parts_answers import PartsSummary, predict_to_parts
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.work import Answers
from limbeck.settings import HeadKind

WORDS = ("i feel fine", "so sad", "기분이 좋다", "it is rain !", "sun", "very very sad today .")
Answer = Callable[..., PartsSummary]


@pytest.fixture(autouse=True)
def computed_on_one_thread() -> Any:
    """Every test of this folder."""
    with on_one_thread():
        yield


@pytest.fixture
def model(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> Path:
    """A tiny model, on disk."""
    folder = tmp_path / "RUN" / "bundle"
    save_bundle(make_bundle("classification"), folder, card="")
    return folder.parent


def rows_of(count: int, first: int = 0) -> pa.Table:
    """Return rows with a column of their own; texts are of many lengths."""
    numbers = range(first, first + count)
    texts = [" ".join(WORDS[(number + place) % len(WORDS)] for place in range(1 + number % 4)) for number in numbers]
    return pa.table({"id": [f"x{number}" for number in numbers], "text": texts, "stars": [n % 5 for n in numbers]})


def in_two_files(rows_from: Callable[[int, int], pa.Table], folder: Path, counts: tuple[int, int]) -> Path:
    """Write rows, by their number and the first of them, into two files of a new folder, in row groups of six."""
    folder.mkdir()
    pq.write_table(rows_from(counts[0], 0), folder / "part-1.parquet", row_group_size=6)
    pq.write_table(rows_from(counts[1], counts[0]), folder / "part-2.parquet", row_group_size=6)
    return folder


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder of three files, 40 rows in all; part-10 comes last."""
    folder = tmp_path / "texts"
    folder.mkdir()
    for name, count, first in (("part-1", 13, 0), ("part-2", 20, 13), ("part-10", 7, 33)):
        pq.write_table(rows_of(count, first), folder / f"{name}.parquet", row_group_size=6)
    return folder


@pytest.fixture
def answer(model: Path, tmp_path: Path) -> Answer:
    """Answer files into a folder, in this process, in units of about 5 rows."""

    def run(source: Any, out: Path | None = None, *, top_k: int | None = None, **words: Any) -> PartsSummary:
        reading = {name: words.pop(name) for name in ("on_bad_row", "text_column", "encoding", "task") if name in words}
        work = words.pop("work", Answers(top_k=top_k))
        request = PartsRequest(
            source=str(source),
            run=words.pop("run", model),
            out=out or tmp_path / "PARTS",
            scale=ScaleSettings(**{"on": "here", "unit_tokens": 40, **words}),
            reading=reading,
            work=work,
        )
        return predict_to_parts(request)

    return run


def table_in(folder: Path) -> pa.Table:
    """Return the rows of all Parquet parts, in the order of their names."""
    parts = sorted(folder.glob("*.parquet"))
    return pa.concat_tables([pq.read_table(part) for part in parts])


def bytes_in(folder: Path) -> dict[str, bytes]:
    """Return the bytes of each part, by its name."""
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


@contextmanager
def interrupted_after(parts: int, out: Path) -> Iterator[None]:
    """Press Ctrl-C in the middle of the unit that comes when so many parts are there; see that it was heard."""
    write_tables = unit_run.write_tables

    def stopped(path: Path, tables: Any) -> None:
        if len(bytes_in(out)) == parts:
            next(iter(tables))
            raise KeyboardInterrupt
        write_tables(path, tables)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(unit_run, "write_tables", stopped)
        yield


def require_goes_on(run: Answer, source: Path, place: Path, made_of: Callable[[Path], object]) -> None:
    """Interrupt a run: before it is whole nothing is made of its parts, and it goes on to the same bytes."""
    run(source, place / "WHOLE")
    with interrupted_after(2, place / "PARTS"):
        run(source)
    with pytest.raises(StorageError, match="manifest"):
        made_of(place / "PARTS")
    run(source)
    assert bytes_in(place / "PARTS") == bytes_in(place / "WHOLE")


def free_port() -> int:
    """Return a port that nobody has: another cluster may have the usual one."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="session")
def ray_nodes() -> Iterator[Any]:
    """A cluster of three machines of one CPU each, on this one."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason='Ray is not installed: pip install "limbeck[ray]"')
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = cluster_utils.Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "dashboard_port": free_port()},
        )
        for _ in range(2):
            cluster.add_node(num_cpus=1)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def ray_cluster(ray_nodes: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same, with its address where the command looks; machines that were killed are there again."""
    monkeypatch.setenv("RAY_ADDRESS", ray_nodes.address)
    for node in list(ray_nodes.worker_nodes):
        if node.all_processes["raylet"][0].process.poll() is not None:
            ray_nodes.remove_node(node, allow_graceful=False)
            ray_nodes.add_node(num_cpus=1)
    return ray_nodes

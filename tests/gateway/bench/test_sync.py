import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.bench import sync, sync_drain, sync_ink
from gateway.bench.brokers import BenchBroker
from gateway.bench.postgres import PostgresServer
from gateway.bench.sync_ink import inkml, json_columns, measure
from gateway.cli.bench_sync import bench_sync
from gateway.errors import Missing
from recognition.ink import pack
from tests.recognition.training.made_inkset import drawn, write_inkset

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

ROWS = 1_000


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """One short run of everything."""
    result = CliRunner().invoke(bench_sync, ["--rows", str(ROWS), "--json"])
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    assert said["schema"] == "inkgate.bench.sync/1"
    return said


def test_what_can_be_counted_meets_its_goal(found: dict[str, Any]) -> None:
    assert found["short_bytes_a_row"] <= 25
    assert found["sealing"]["envelopes"] == ROWS // 100
    for size, batch in found["ink"]["batches"].items():
        assert batch["bytes_a_dot"] <= 3, size
        assert batch["size_to_inkml_gzip"] <= 0.4, size


def test_every_result_is_drained_and_what_is_left_out_is_told(found: dict[str, Any]) -> None:
    drain = found["drain"]
    assert (drain["rows"], drain["rows_offered_again"]) == (ROWS, 0)
    assert drain["rows_a_second"] > 0
    assert (drain["drain_to_c_client"] is None) == ("drain against a C client" in found["left_out"])
    assert (drain["broker"] == "nats-server") == ("drain over mosquitto" in found["left_out"])
    assert (found["store"] is None) == ("store" in found["left_out"])


def test_repeats_are_much_quicker_than_the_first_time(found: dict[str, Any]) -> None:
    if found["store"] is None:
        pytest.skip(found["left_out"]["store"])
    assert found["store"]["repeats_to_first"] > 1


def test_without_postgres_and_mosquitto_it_drains_into_sqlite_over_nats(tmp_path: Path) -> None:
    box = tmp_path / "box.db"
    sync_drain.filled(box, 300)
    assert sync_drain.sealing(box)["rows"] == 300
    drain = sync_drain.drained(box, tmp_path, BenchBroker(tmp_path, None), None, 300)
    assert (drain["broker"], drain["protocol"], drain["store"]) == ("nats-server", "3.1.1", "sqlite")
    assert drain["rows_offered_again"] == 0


def test_without_postgres_the_report_says_that_the_store_is_sqlite(tmp_path: Path) -> None:
    box = tmp_path / "box.db"
    sync_drain.filled(box, 100)
    sync_drain.sealing(box)
    left_out = {"store": "psycopg is missing"}
    drain = sync._drain(box, tmp_path, None, 100, left_out)
    assert drain is not None
    assert drain["store"] == "sqlite"
    assert "psycopg is missing" in left_out["drain into PostgreSQL"]


def test_a_server_of_ones_own_leaves_nothing_behind() -> None:
    try:
        server = PostgresServer()
    except Missing as error:
        pytest.skip(str(error))
    with server:
        assert server.data.is_dir()
        server.kill()
        server.start()
    assert not server.folder.exists()
    assert server.process is None


def test_real_ink_is_measured_where_a_folder_is_given(tmp_path: Path) -> None:
    (tmp_path / "unipen").mkdir()
    line = [(float(k), float(k * k % 17)) for k in range(200)]
    words = [replace(drawn("w", f"w{k}", line), hz=100, unit_mm=0.1) for k in range(12)]
    unknown = drawn("w", "of unknown pace", line)
    write_inkset(tmp_path / "unipen" / "words.npz", [*words, unknown])
    found = measure(tmp_path, 24_000)
    assert (found["ink"], found["dots"]) == ("UNIPEN words, force made", 2_400)
    assert set(found["batches"]) == {"500", "60"}


def test_the_forms_beside_packed_ink_hold_the_same_dots() -> None:
    strokes = sync_ink._taken(sync_ink._from_hand(), 50)
    assert inkml(strokes).count(b"<trace>") == len(strokes)
    columns = json.loads(json_columns(strokes))
    assert [list(zip(*one.values(), strict=True)) for one in columns] == [
        [tuple(dot) for dot in stroke.tolist()] for stroke in strokes
    ]
    assert pack(strokes)[0] == 1

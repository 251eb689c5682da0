"""The tables of speed: machines that were measured stand side by side, and what was not measured is said so."""

import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A folder of results of our own, which the tables are made from."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("measure", "readme_machines", "readme_serving", "readme_speed", "readme_summary"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import measure

    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    rates = {"limbeck": 121, "ONNX Runtime float32": 233}
    told = {"called": "2 cores of an EPYC with AVX2", "encode_tweets": rates, "demo_s": 450}
    write(tmp_path / "machines.json", {"source": "told", "avx2": told})
    return tmp_path


def write(path, record):
    path.write_text(json.dumps(record), "utf-8")


def encoded(isa, processor, ours, **peers):
    """A result of the encoder's benchmark: tweets of MiniLM only."""
    share = {"share_of_peak": 0.7, "gflops": 100}
    entries = {"limbeck": {"kind": "ours", "texts_per_s": ours, "ours_is_times": 1.0, **share}}
    entries |= {
        name: {"kind": "exact", "texts_per_s": rate, "ours_is_times": ours / rate, **share}
        for name, rate in peers.items()
    }
    entries["pipeline"] = {"kind": "own tokenizer", "texts_per_s": 9999, "ours_is_times": 0.1, **share}
    single = {name: {"p50_ms": 5, "p99_ms": 6} for name in peers}
    single |= {"limbeck": {"p50_ms": 3, "p99_ms": 4}, "quick int8": {"p50_ms": 1, "p99_ms": 2}}
    return {
        "isa": isa,
        "engine": f"native {isa} cpu",
        "peak_of": "a loop",
        "threads": 2,
        "machine": {"processor": processor},
        "workloads": {"mini emotion": {"contestants": entries}},
        "one_text": {"mini": {"contestants": single}},
        "drift": {},
    }


def served(isa, processor, **servers):
    """A result of the service's benchmark: requests per second and how often ours is that; None did not start."""

    def entry(rate, times):
        rates = {limit: {"median": rate, "ours_is_times": times} for limit in ("50", "200")}
        overload = {"10": {"goodput": 0.9}}
        one = {"p50_ms": 5, "p99_ms": 6}
        return {
            "tweets": {"rate_with_p99_ms": rates},
            "mix": {"rate_with_p99_ms": {"50": 0, "200": 7}},
            "overload": overload,
            "one_text": one,
            "processor_s_per_1000_texts": 16,
            "start_s": 4,
        }

    found = {name: entry(*one) if one else {"not_measured": "why"} for name, one in servers.items()}
    about = {"isa": isa, "engine": f"native {isa} cpu", "threads": 2, "machine": {"processor": processor}}
    return {**about, "servers": found}


def test_each_machine_has_a_column_the_best_instruction_set_first(results):
    """Two results of one instruction set too, if they have names of their own; beside ours the nearest exact peer."""
    write(results / "encode-avx2.json", encoded("avx2", "AMD EPYC", 300, slow=100, quick=200))
    write(results / "encode-amx.json", encoded("amx", "Intel(R) Xeon(R) Processor", 1000, quick=500))
    write(results / "encode-xeon-avx2.json", encoded("avx2", "Intel(R) Xeon(R) Processor", 400, quick=350))
    write(results / "serve-avx2.json", served("avx2", "AMD EPYC", limbeck=(60, 1.0), fastapi=(6, 10.0), ray=(0, None)))
    import readme_summary

    head, tweets, reviews, one_text, epochs, over_http, demo = readme_summary.speed()
    assert head[1:] == ["2 cores of a Xeon with AMX", "2 cores of an EPYC with AVX2", "2 cores of a Xeon with AVX2"]
    assert tweets[1:] == ["**1,000**; quick 500 (2.00×)", "**300**; quick 200 (1.50×)", "**400**; quick 350 (1.14×)"]
    assert one_text[1] == "**3.0**; quick 5.0", "int8 answers otherwise: it is no peer here"
    assert over_http[1:] == ["not measured", "**60**; FastAPI and `pipeline` 6.0 (10.00×)", "not measured"]
    assert reviews[1:] == epochs[1:] == ["not measured"] * 3
    assert demo[1:] == ["not measured", "7 min 30 s", "not measured"]


def test_a_machine_that_was_only_told_of_keeps_its_column(results):
    """Until a benchmark has run there, figures are those that were written down."""
    write(results / "encode-amx.json", encoded("amx", "Intel(R) Xeon(R) Processor", 1000, quick=500))
    import readme_summary

    head, tweets, *_ = readme_summary.speed()
    assert head[1:] == ["2 cores of a Xeon with AMX", "2 cores of an EPYC with AVX2"]
    assert tweets[1:] == ["**1,000**; quick 500 (2.00×)", "**121**; ONNX Runtime float32 233"]


def test_tables_of_a_machine_show_only_who_took_part(results):
    """A table each; peers of one machine are not asked for on another, and a workload that lacks one shows a dash."""
    both = encoded("avx2", "AMD EPYC", 300, quick=200)
    both["workloads"]["base emotion"] = {
        "contestants": {"limbeck": both["workloads"]["mini emotion"]["contestants"]["limbeck"]}
    }
    write(results / "encode-avx2.json", both)
    write(results / "encode-amx.json", encoded("amx", "Intel(R) Xeon(R) Processor", 1000, bf16=500))
    import readme_speed

    tables = readme_speed.encoding()
    xeon, epyc = tables
    assert xeon.startswith("**2 cores of a Xeon with AMX (native amx cpu)**")
    assert epyc.startswith("**2 cores of an EPYC with AVX2 (native avx2 cpu)**")
    rows = {row[0]: row[1:] for row in tables[epyc]}
    assert "bf16" not in rows
    assert rows["quick"] == ["200 (1.5×)", "-"]
    assert rows["… of the peak in the same run: a loop"] == ["70%", "70%"]


def test_servers_stand_beside_ours_and_those_that_did_not_start_are_named(results):
    """What holds no rate says so, and so does what did not start; shares of the highest rate are per cent."""
    servers = {"limbeck": (60, 1.0), "fastapi": (6, 10.0), "ray": (0, None), "litserve": None}
    write(results / "serve-avx2.json", served("avx2", "AMD EPYC", **servers))
    import readme_serving

    [(title, rows)] = readme_serving.serving().items()
    assert title.startswith("**2 cores of an EPYC with AVX2 (native avx2 cpu)**")
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["limbeck serve"] == ["60", "60", "none", "7.0", "90%", "5.0 / 6.0", "16.0", "4.0"]
    assert by_name["FastAPI and `pipeline`"][0] == "6.0 (10.0×)"
    assert by_name["Ray Serve"][0] == "0.0 (holds none)"
    assert set(by_name["LitServe: did not start here"]) == {"-"}

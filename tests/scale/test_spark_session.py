"""How a process gets at Spark, where there is none."""

import sys
from pathlib import Path

import pytest
from tests.scale.conftest import Answer

from limbeck.errors import EngineError, MissingExtraError
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.spark_session import look_for_spark


def test_without_pyspark_nothing_is_planned(
    answer: Answer, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(MissingExtraError, match=r'pip install "limbeck\[spark\]"'):
        answer(texts, on="spark")
    assert not (tmp_path / "PARTS").exists()


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
def test_without_java_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark's own words about it are few."""
    pyspark = pytest.importorskip("pyspark", reason="pyspark is not installed (the extra spark)")
    java_gateway = pytest.importorskip("pyspark.java_gateway")
    failed = pyspark.errors.PySparkRuntimeError(errorClass="JAVA_GATEWAY_EXITED", messageParameters={})

    def launch(*words: object, **more: object) -> None:
        raise failed

    monkeypatch.setattr(pyspark.SparkContext, "_gateway", None)
    monkeypatch.setattr(java_gateway, "launch_gateway", launch)
    with pytest.raises(EngineError, match="needs Java"):
        look_for_spark(ScaleSettings(on="spark"))

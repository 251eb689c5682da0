"""Spark session: how this process gets at Spark, and what Spark's settings say of its tasks.

In: the environment: that of `spark-submit`, whose settings are obeyed, else `SPARK_MASTER` and Spark's own files of
settings. Out: a context of Spark, of which the caller's own is kept. It does not know what tasks do.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from limbeck.errors import EngineError, MissingExtraError, SettingsError
from limbeck.scale.scale_settings import ScaleSettings

if TYPE_CHECKING:
    from pyspark import SparkConf, SparkContext

MASTER = "SPARK_MASTER"
"""The variable of the environment that says where Spark is, for processes that `spark-submit` did not start."""
_SUBMITTED, _PYTHON = "PYSPARK_GATEWAY_PORT", "PYSPARK_PYTHON"
_STANDARD_ERROR = 2


def look_for_spark(settings: ScaleSettings) -> ScaleSettings:
    """Start Spark's own process and ask it for its settings; no machine of a cluster is asked yet.

    Returns:
        The settings, with the threads that a task has: `spark.task.cpus`.

    Raises:
        MissingExtraError: pyspark is not installed.
        EngineError: there is no Java, or none that this Spark can use.
        SettingsError: `spark.task.cpus` is no number.
    """
    conf = _spark_settings()
    cpus = conf.get("spark.task.cpus", "1")
    if not str(cpus).isdecimal() or int(str(cpus)) < 1:
        raise SettingsError(f"spark.task.cpus = {cpus} is not possible: give 1 or more")
    return replace(settings, threads=int(str(cpus)))


@contextmanager
def spark_context() -> Iterator["SparkContext"]:
    """Give the context that this process has, or one that lives meanwhile.

    Raises:
        EngineError: the cluster says no, or nobody answers.
    """
    conf = _spark_settings()
    from py4j.protocol import Py4JError
    from pyspark import SparkContext
    from pyspark.errors import PySparkException

    if SparkContext._active_spark_context is not None:
        yield SparkContext.getOrCreate()
        return
    try:
        with _own_ctrl_c():
            context = SparkContext.getOrCreate(conf)
    except (Py4JError, PySparkException) as error:
        raise EngineError(
            f"Spark at {conf.get('spark.master', 'its own default')} cannot be used ({reason_of(error)}): give the "
            f"master that spark-submit or {MASTER} should name, and see that it runs"
        ) from error
    try:
        if _SUBMITTED not in os.environ:
            # Lost executors and tasks are said in our own words; whoever submits has settings of his own for logs.
            context.setLogLevel("FATAL")
        yield context
    finally:
        context.stop()


def said_by_spark(error: Exception) -> str:
    """Return what went wrong inside Spark, without the trace of it."""
    java = getattr(error, "java_exception", None)
    return str(error) if java is None else str(java.getMessage() or java.toString())


def reason_of(error: Exception) -> str:
    """Return the first line of what went wrong inside Spark."""
    return said_by_spark(error).strip().partition("\n")[0]


def _spark_settings() -> "SparkConf":
    """Start Spark's own process where there is none, and return the settings that it has."""
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkException
        from pyspark.java_gateway import launch_gateway
    except ImportError as error:
        raise MissingExtraError(
            f'computing on Spark needs pyspark, here and on its machines: pip install "limbeck[spark]" ({error})'
        ) from error
    # Else a worker is whatever `python3` is on its machine.
    os.environ.setdefault(_PYTHON, sys.executable)
    if SparkContext._active_spark_context is not None:
        return SparkContext.getOrCreate().getConf()
    try:
        if SparkContext._gateway is None:
            asked = SparkConf(loadDefaults=False).setAppName("limbeck predict")
            asked.set("spark.ui.showConsoleProgress", "false")
            if master := os.environ.get(MASTER):
                asked.setMaster(master)
            # What Java prints must not stand among answers.
            gateway = launch_gateway(asked, popen_kwargs={"stdout": _STANDARD_ERROR})
            SparkContext._ensure_initialized(gateway=gateway)
        return SparkConf()
    except (PySparkException, OSError) as error:
        raise EngineError(
            f"Spark does not start here ({reason_of(error)}); what it said stands above. It needs Java (Spark 4: Java "
            f"17 or newer: install default-jre-headless, or set JAVA_HOME), and a master that it knows ({MASTER})"
        ) from error


@contextmanager
def _own_ctrl_c() -> Iterator[None]:
    """Keep what Ctrl-C does: a new context takes it over, and would talk to Spark in the middle of anything."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

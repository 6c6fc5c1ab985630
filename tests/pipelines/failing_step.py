"""A program whose graph has a step that fails on a record, as the command would run and report it.

Arguments: here or prism, text or json, and the record.
"""

import logging
import sys
from datetime import UTC, datetime

import apache_beam as beam
import pyarrow as pa
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import log_lines
from pipelines.engine import run_graph
from pipelines.exit_codes import Reporting, end_at_once
from pipelines.prism import get_prism
from pipelines.run import failure
from pipelines.runs import Run
from transforms.whereabouts import command_is_at

WHERE, FORM, RECORD = sys.argv[1:]


def read(record: str) -> pa.Array:
    return pa.array([record]).cast(pa.int64())


def build(pipeline: beam.Pipeline) -> None:
    _ = pipeline | beam.Create([RECORD]) | "a step" >> beam.Map(read)


def run() -> None:
    log_lines.use("json" if FORM == "json" else "text")
    log_lines.begin(verbose=True)
    command_is_at("live")
    now = datetime.now(UTC)
    record = Run("live", "streaming", "running", None, None, (), now, None, "", "")
    try:
        if WHERE == "prism":
            options = PipelineOptions([])
            run_graph(build, options, lambda: None, get_prism(options))
        else:
            with beam.Pipeline(runner="FnApiRunner") as pipeline:
                build(pipeline)
    except Exception as error:
        logging.getLogger("pipelines.test").exception("it failed")
        raise failure(record, error) from error


if __name__ == "__main__":
    end_at_once(lambda: Reporting(None, callback=run).main([]))

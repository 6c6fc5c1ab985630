"""Asks a job server, which takes pipelines for an engine such as Flink, which options that has."""

import grpc
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from pipelines.problems import UserError

_ANSWER_S = 10.0
_IN_PROCESS = "embed"  # Beam's own word for a server that it starts itself


def engine_options(endpoint: str) -> frozenset[str]:
    """The names of the engine's own options, as `--name`; none where it does not say.

    Raises UserError if nobody answers.
    """
    if endpoint == _IN_PROCESS:
        return frozenset()
    asked = beam_job_api_pb2.DescribePipelineOptionsRequest()
    with grpc.insecure_channel(endpoint) as channel:
        service = beam_job_api_pb2_grpc.JobServiceStub(channel)
        try:
            answer = service.DescribePipelineOptions(asked, timeout=_ANSWER_S, wait_for_ready=True)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNIMPLEMENTED:
                return frozenset()
            raise UserError(
                f"--job_endpoint {endpoint}: no job server answers: {error.details()}"
            ) from error
    return frozenset(f"--{option.name}" for option in answer.options)

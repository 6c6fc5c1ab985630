"""What a job's graph is to an engine that goes on with another one's state: names and coders."""

from collections.abc import Iterator
from typing import Any

from apache_beam.coders.coders import deserialize_coder
from apache_beam.portability.api import beam_runner_api_pb2

PICKLED_CODER = "beam:coder:pickled_python:v1"


def described(pipeline: beam_runner_api_pb2.Pipeline) -> list[str]:
    """A line for each step that is run, with what it gives out, and what it keeps in state."""
    components = pipeline.components
    lines = []
    for step in components.transforms.values():
        if step.subtransforms:
            continue
        given = [
            f"{tag}: {_coder(components, components.pcollections[each].coder_id)}"
            for tag, each in sorted(step.outputs.items())
        ]
        lines.append(f"{step.unique_name} → {'; '.join([*given, *_states(components, step)])}")
    return sorted(lines)


def _states(components: Any, step: Any) -> Iterator[str]:
    if step.spec.urn != "beam:transform:pardo:v1":
        return
    payload = beam_runner_api_pb2.ParDoPayload.FromString(step.spec.payload)
    for name, state in sorted(payload.state_specs.items()):
        kind = state.WhichOneof("spec")
        spec = getattr(state, kind)
        coders = [value for each, value in spec.ListFields() if "coder" in each.name]
        yield f"state {name}: {kind} {' '.join(_coder(components, each) for each in coders)}"
    for name, timer in sorted(payload.timer_family_specs.items()):
        yield f"timer {name}: {_coder(components, timer.timer_family_coder_id)}"


def _coder(components: Any, name: str) -> str:
    coder = components.coders[name]
    if coder.spec.urn == PICKLED_CODER:
        return type(deserialize_coder(coder.spec.payload)).__name__
    parts = [_coder(components, each) for each in coder.component_coder_ids]
    plain = coder.spec.urn.removeprefix("beam:coder:").removesuffix(":v1")
    return f"{plain}<{', '.join(parts)}>" if parts else plain

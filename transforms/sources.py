"""The sources that every catalog has: native, recorded and cloudevents."""

from dataclasses import replace

from transforms.catalog import Source, TextField, TimeField

NATIVE = Source(
    name="native",
    event_type=TextField(("event_type",)),
    customer_id=TextField(("customer_id",)),
    timestamp=TimeField(("timestamp",)),
    id=TextField(("id",)),
    properties=("properties",),
    objects=(("properties",), ("metadata",)),
)

RECORDED = replace(NATIVE, name="recorded", received_at=TimeField(("received_at",)))

CLOUDEVENTS = Source(
    name="cloudevents",
    event_type=TextField(("type",)),
    customer_id=TextField(("subject",)),
    timestamp=TimeField(("time",)),
    id=TextField(("id",)),
    id_scope=("source",),
    properties=("data",),
    objects=(("data",),),
)

BUILT_IN = {source.name: source for source in (NATIVE, RECORDED, CLOUDEVENTS)}

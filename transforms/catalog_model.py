"""The catalog file as pydantic models: which keys there are, and what they take.

All scalars arrive as texts (see yaml_reader). Each check stands at one key, so that what is wrong
with one key hides nothing about another.
"""

from collections.abc import Sized
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from transforms import catalog_values as values
from transforms.catalog import Aggregation, TimeFormat
from transforms.catalog_problems import shown
from transforms.lengths import DAY_US
from transforms.paths import Path
from transforms.yaml_nodes import Null

Filled = TypeVar("Filled", bound=Sized)
HOUR_US, MINUTE_US = DAY_US // 24, DAY_US // 1440


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _not_empty(value: Filled) -> Filled:
    if not value:
        raise ValueError("the list is empty")
    return value


def _name(dimension: tuple[str, Path]) -> str:
    return dimension[0]


def _shape(value: Any) -> str | None:
    """Tell a union's two forms apart; the marks are no keys that a path could have."""
    if isinstance(value, list):
        return "<list>"
    return "<mapping>" if isinstance(value, dict) else None


Text = Annotated[str, PlainValidator(values.text)]
EventType = Annotated[str, PlainValidator(values.event_type)]
RootPath = Annotated[tuple[str, ...], PlainValidator(values.root_path)]
MeterPath = Annotated[Path, PlainValidator(values.path)]
PathText = Annotated[str, BeforeValidator(values.path_text)]
Window = Annotated[int, PlainValidator(values.window)]
Length = Annotated[int, PlainValidator(values.length)]
PositiveLength = Annotated[int, PlainValidator(values.positive_length)]

ListedDimensions = list[Annotated[tuple[str, Path], PlainValidator(values.listed_dimension)]]
NamedDimensions = dict[Annotated[str, BeforeValidator(values.dimension_name)], MeterPath]
OneOrMore = (BeforeValidator(_listed), AfterValidator(_not_empty))
Dimensions = Annotated[
    Annotated[ListedDimensions, Tag("<list>")] | Annotated[NamedDimensions, Tag("<mapping>")],
    Discriminator(_shape),
]


class Part(BaseModel):
    """A mapping with known keys. A key whose value is null is one that is not there."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    shorthand: ClassVar[str | None] = None  # the key meant by a text in the mapping's place

    @classmethod
    def keys(cls) -> set[str]:
        """Give the keys as the file spells them."""
        return {field.alias or name for name, field in cls.model_fields.items()}

    @model_validator(mode="before")
    @classmethod
    def _written_in_full(cls, data: Any) -> Any:
        if isinstance(data, str) and cls.shorthand:
            return {cls.shorthand: data}
        if not isinstance(data, dict):
            return data
        known = cls.keys()
        return {
            key: value
            for key, value in data.items()
            if not (key in known and isinstance(value, Null))
        }


class Defaults(Part):
    """What holds for all meters, or for the run."""

    window: Window = HOUR_US
    allowed_lateness: Length = DAY_US
    future_tolerance: Length = 5 * MINUTE_US
    dedup_horizon: PositiveLength = 7 * DAY_US


class TextPart(Part):
    """Where a source finds a text, or the text that all its records share."""

    shorthand = "path"
    path: RootPath | None = None
    const: Text | None = Field(None, validate_default=True)
    as_: Annotated[str, PlainValidator(values.only("text"))] | None = Field(None, alias="as")

    @field_validator("const")
    @classmethod
    def _path_or_const(cls, const: str | None, info: ValidationInfo) -> str | None:
        path = info.data.get("path", ())  # not in the data where it is wrong itself
        if const is None and path is None:
            raise ValueError("give a path, or a const that all records share")
        if const is not None and path is not None:
            raise ValueError(f"give a path or a const, not both ({shown(const)})")
        return const

    @field_validator("as_")
    @classmethod
    def _as_with_a_path(cls, as_: str | None, info: ValidationInfo) -> str | None:
        const = info.data.get("const")
        if as_ and const is not None:
            raise ValueError(f"goes with a path; the const {shown(const)} is a text already")
        return as_


class SharedPart(TextPart):
    """A text that every event has, so that a const must be one that events may have."""

    @field_validator("const")
    @classmethod
    def _fits(cls, const: str | None) -> str | None:
        return const if const is None else values.event_type(const)


class IdPart(TextPart):
    """The id of an event, which tells it from others."""

    @field_validator("const")
    @classmethod
    def _differs(cls, const: str | None) -> str | None:
        if const is not None:
            raise ValueError(f"{shown(const)} would make all events one event; give a path")
        return const


class TimePart(Part):
    """Where a source finds a time, and how it is written."""

    shorthand = "path"
    path: RootPath
    format: Annotated[TimeFormat, PlainValidator(values.time_format)] = "rfc3339"
    zone: Annotated[str, PlainValidator(values.only("UTC"))] | None = None

    @field_validator("zone")
    @classmethod
    def _zone_of_a_text(cls, zone: str | None, info: ValidationInfo) -> str | None:
        written = info.data.get("format", "rfc3339")
        if zone and written != "rfc3339":
            raise ValueError(f"goes with rfc3339; a time of {written} has no zone")
        return zone


class SourcePart(Part):
    """How records of one kind are read."""

    event_type: SharedPart
    customer_id: SharedPart
    timestamp: TimePart
    id: IdPart | None = None
    received_at: TimePart | None = None
    properties: Annotated[tuple[str, ...], PlainValidator(values.properties)] = ()


class MeterPart(Part):
    """How events become a quantity."""

    name: Annotated[str, PlainValidator(values.meter_name)]
    description: Text | None = None
    event_type: Annotated[list[EventType], *OneOrMore]
    where: dict[PathText, Annotated[list[Text], *OneOrMore]] = {}
    aggregation: Annotated[Aggregation, PlainValidator(values.aggregation)]
    value: MeterPath | None = Field(None, validate_default=True)
    dimensions: Dimensions = []
    window: Window | None = None
    allowed_lateness: Length | None = None
    unit: Text | None = None

    @field_validator("value")
    @classmethod
    def _value_fits(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        aggregation = info.data.get("aggregation")  # None where it is wrong itself
        if aggregation == "count" and value is not None:
            raise ValueError(
                f"count takes no value, it counts the events: leave {shown(value.dotted)} out"
            )
        if aggregation not in (None, "count") and value is None:
            raise ValueError(f"is required for {aggregation}: the path of what is aggregated")
        return value

    @property
    def sorted_dimensions(self) -> tuple[tuple[str, Path], ...]:
        """Give the dimensions, in either form, sorted by name."""
        named = self.dimensions
        return tuple(sorted(named.items() if isinstance(named, dict) else named, key=_name))


class CatalogPart(Part):
    """The whole file."""

    version: Annotated[str, PlainValidator(values.only("1"))]
    defaults: Defaults = Defaults()
    sources: dict[Annotated[str, BeforeValidator(values.source_name)], SourcePart] = {}
    meters: Annotated[list[MeterPart], AfterValidator(_not_empty)]

"""Ordinary records of each source of a catalog, to be spoilt, and the requests of the example."""

import csv
import json
from functools import cache
from pathlib import Path
from random import Random

from transforms.catalog import Catalog
from transforms.catalog_file import load_catalog

ROOT = Path(__file__).parents[2]

CATALOG = b"""
version: 1
sources:
  gateway:
    event_type: {path: kind, as: text}
    customer_id: {path: auth.tenant, as: text}
    timestamp: {path: ts, format: epoch_ms}
    id: {path: request.id, as: text}
    received_at: {path: logged_at, zone: UTC}
    properties: request
  azure:
    event_type: {const: llm}
    customer_id: service
    timestamp: {path: TIMESTAMP, zone: UTC}
    properties: .
meters:
  - {name: tokens, event_type: [llm, api], aggregation: sum, value: tokens,
     dimensions: [model, tier, deep.er]}
  - {name: context, event_type: llm, aggregation: max, value: ContextTokens, dimensions: [service]}
  - {name: generated, event_type: llm, aggregation: unique_count, value: GeneratedTokens}
  - {name: addresses, event_type: api, aggregation: unique_count, value: ip,
     where: {region: [eu, us]}}
  - {name: size, event_type: [api, gpu], aggregation: latest, value: $.metadata.size}
  - {name: seconds, event_type: gpu, aggregation: avg, value: tokens, dimensions: {gpu: '"a.b".c'}}
"""
SOURCES = ("native", "recorded", "cloudevents", "gateway", "azure")


def catalog() -> Catalog:
    """The catalog that all blocks are read by."""
    return load_catalog("fuzz.yaml", CATALOG)


def record(random: Random, source: str) -> bytes:
    """One ordinary record of a source."""
    if source == "azure":
        return random.choice(_requests())
    makers = {"cloudevents": _cloudevent, "gateway": _gateway}
    return makers.get(source, _native)(random, source)


@cache
def _requests() -> list[bytes]:
    """The rows of the example as the records that a CSV file of them gives."""
    with (ROOT / "examples/azure-llm-2023/requests.csv").open(newline="") as file:
        return [json.dumps(row).encode() for row in csv.DictReader(file)][:5000]


def _native(random: Random, source: str) -> bytes:
    received = f'"received_at":"{_time(random)}",' if source == "recorded" else ""
    return (
        f'{{"id":"e{random.randrange(10**9)}","event_type":"{_type(random)}",'
        f'"customer_id":"c{random.randrange(99)}","timestamp":"{_time(random)}",{received}'
        f'"properties":{_properties(random)},"metadata":{{"size":{_number(random)},"agent":"go/1"}}}}'
    ).encode()


def _cloudevent(random: Random, _source: str) -> bytes:
    return (
        f'{{"specversion":"1.0","type":"{_type(random)}","source":"/s/{random.randrange(9)}",'
        f'"id":"{random.randrange(10**9)}","time":"{_time(random)}",'
        f'"subject":"c{random.randrange(99)}","data":{_properties(random)}}}'
    ).encode()


def _gateway(random: Random, _source: str) -> bytes:
    ts = random.choice(("{}", "{}.5", '"{}"', "{}")).format(random.randrange(17 * 10**11))
    return (
        f'{{"kind":"{_type(random)}","auth":{{"tenant":{random.randrange(99)}}},"ts":{ts},'
        f'"logged_at":"{_time(random)[:-1]}","list":[1,2.5,{{"tokens":1}}],'
        f'"request":{_properties(random)[:-1]},"id":{random.randrange(10**9)}}}}}'
    ).encode()


def _properties(random: Random) -> str:
    return (
        f'{{"tokens":{_number(random)},"model":"m{random.randrange(4)}","region":"eu",'
        f'"tier":{random.randrange(9)},"ip":"10.0.0.{random.randrange(256)}","deep":{{"er":"x","n":{random.randrange(9)}}},'
        f'"a.b":{{"c":"h100"}}}}'
    )


def _type(random: Random) -> str:
    return random.choice(("llm", "api", "gpu", "other"))


def _number(random: Random) -> str:
    return random.choice(("{}", "{}.25", "{}.000001")).format(random.randrange(10**6))


def _time(random: Random) -> str:
    day, hour, second = random.randrange(1, 29), random.randrange(24), random.randrange(60)
    return f"2026-01-{day:02}T{hour:02}:30:{second:02}.{random.randrange(10**6):06}Z"

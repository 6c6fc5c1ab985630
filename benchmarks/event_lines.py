"""The events of the benchmarks as lines, before repeats and broken lines: see events.py."""

from collections import Counter

import numpy as np
import numpy.typing as npt

CUSTOMERS = 10_000
SKEW = 1.3
FIRST_US = 1_768_435_200_000_000  # 2026-01-15T00:00:00Z
SPAN_US = 3 * 86_400_000_000

REGIONS = ["us-east-1", "eu-west-1", "ap-south-1", "us-west-2"]
MODELS = ["atlas-large", "atlas-small", "birch-70b", "birch-8b", "cedar-pro", "cedar-mini"]
TOKEN_TYPES = ["input", "output", "cached"]
METHODS = ["GET", "POST", "DELETE"]
ENDPOINTS = [f"/v1/{name}" for name in ("chat", "embeddings", "files", "images", "batches", "jobs")]
GPUS = ["h100", "a100", "l40s"]
AGENTS = ["python/2.4.1", "node/5.0.3", "go/1.12.0", "curl/8.9.1", "java/3.1.7"]

ENVELOPE = '{"id":"evt_%012x","event_type":"%s","customer_id":"c%05d","timestamp":"%sZ",'
METADATA = '"metadata":{"user_agent":"%s","ip_address":"10.%d.%d.%d"}}\n'
LLM = '"properties":{"model":"%s","token_type":"%s","region":"%s","tokens":%d},'
API = (
    '"properties":{"endpoint":"%s","method":"%s","region":"%s","bytes":%d,'
    '"response_time_ms":%d,"ip":"10.%d.%d.%d"},'
)
GPU = '"properties":{"gpu":"%s","region":"%s","seconds":%d.%06d},'

Ints = npt.NDArray[np.int64]


def _mostly(own: Ints, kinds: int, share: float, rng: np.random.Generator) -> Ints:
    """Each row's own kind in `share` of the rows, any kind in the others."""
    stray = rng.random(len(own)) >= share
    return np.where(stray, rng.integers(0, kinds, len(own)), own % kinds)


def _texts(names: list[str], index: Ints) -> list[str]:
    return [names[i] for i in index.tolist()]


def _octets(number: Ints) -> list[list[int]]:
    return [(number >> shift & 255).tolist() for shift in (16, 8, 0)]


class Originals:
    """Makes the events apart from repeats, chunk by chunk, and adds up what they hold."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        weight = 1 / np.arange(1, CUSTOMERS + 1) ** SKEW
        self._ladder = np.cumsum(weight / weight.sum())
        self.totals: Counter[str] = Counter()

    def lines(self, first: int, count: int) -> list[bytes]:
        """The events numbered `first` to `first + count`, as lines with their end."""
        rng = self._rng
        kind = rng.choice(3, count, p=[0.55, 0.30, 0.15])
        customer = np.minimum(np.searchsorted(self._ladder, rng.random(count)), CUSTOMERS - 1)
        region = _mostly(customer * 7919, len(REGIONS), 0.85, rng)
        time_us = FIRST_US + rng.integers(0, SPAN_US, count)
        address = rng.integers(0, 4096, count) + customer * 64
        agent = rng.integers(0, len(AGENTS), count)
        # an odd factor permutes the 48-bit numbers: ids look random and none comes twice
        ids = (np.arange(first, first + count) * 0x9E3779B97F4B) & ((1 << 48) - 1)
        out = [b""] * count
        for code, write in enumerate((self._llm, self._api, self._gpu)):
            rows = np.flatnonzero(kind == code)
            name, properties = write(customer[rows], region[rows], address[rows])
            stamps = np.datetime_as_string(time_us[rows].astype("datetime64[us]")).tolist()
            template = ENVELOPE.replace("%s", name, 1) + "%s" + METADATA
            columns = zip(
                rows.tolist(),
                ids[rows].tolist(),
                customer[rows].tolist(),
                stamps,
                properties,
                _texts(AGENTS, agent[rows]),
                *_octets(address[rows]),
                strict=True,
            )
            for row, *cells in columns:
                out[row] = (template % tuple(cells)).encode()
        return out

    def _llm(self, customer: Ints, region: Ints, _: Ints) -> tuple[str, list[str]]:
        tokens = 1 + self._rng.exponential(900, len(customer)).astype(np.int64)
        self.totals["llm_tokens"] += int(tokens.sum())
        columns = zip(
            _texts(MODELS, _mostly(customer * 31, len(MODELS), 0.7, self._rng)),
            _texts(TOKEN_TYPES, self._rng.choice(3, len(customer), p=[0.45, 0.45, 0.1])),
            _texts(REGIONS, region),
            tokens.tolist(),
            strict=True,
        )
        return "llm_tokens", [LLM % cells for cells in columns]

    def _api(self, customer: Ints, region: Ints, address: Ints) -> tuple[str, list[str]]:
        size = self._rng.integers(20, 200_000, len(customer))
        self.totals["api_calls"] += len(customer)
        self.totals["api_bytes"] += int(size.sum())
        columns = zip(
            _texts(ENDPOINTS, self._rng.integers(0, len(ENDPOINTS), len(customer))),
            _texts(METHODS, self._rng.choice(3, len(customer), p=[0.7, 0.25, 0.05])),
            _texts(REGIONS, region),
            size.tolist(),
            self._rng.integers(1, 30_000, len(customer)).tolist(),
            *_octets(address),
            strict=True,
        )
        return "api_call", [API % cells for cells in columns]

    def _gpu(self, customer: Ints, region: Ints, _: Ints) -> tuple[str, list[str]]:
        spent_us = self._rng.integers(1_000, 3_600_000_000, len(customer))
        self.totals["gpu_seconds"] += int(spent_us.sum())
        whole, rest = np.divmod(spent_us, 1_000_000)
        columns = zip(
            _texts(GPUS, _mostly(customer, len(GPUS), 0.8, self._rng)),
            _texts(REGIONS, region),
            whole.tolist(),
            rest.tolist(),
            strict=True,
        )
        return "gpu_seconds", [GPU % cells for cells in columns]

"""However many keys are held, and however they came, each has its last holder."""

from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from transforms import key_runs
from transforms.key_runs import NOBODY, KeyRuns
from transforms.sorted_keys import SortedKeys

KEYS = st.tuples(st.integers(0, 30).map(lambda high: high << 58), st.integers(0, 1))
STEPS = st.tuples(
    st.dictionaries(KEYS, st.integers(0, 9), max_size=12),  # what their holders say
    st.sampled_from(["", "", "", "forget", "rebuild"]),
)
ALL = sorted((high << 58, rest) for high in range(31) for rest in range(2))


def packed(said: dict[tuple[int, int], int], since: int) -> SortedKeys:
    rows = [(*key, said[key]) for key in sorted(said)]
    high, rest, says = np.array(rows, np.uint64).reshape(-1, 3).T
    return SortedKeys.pack(high.copy(), rest, says, np.full(len(rows), since))


@given(st.lists(STEPS, max_size=25), st.integers(1, 3), st.integers(3, 9))
def test_each_key_has_its_last_holder(steps: list, ratio: int, longest: int) -> None:
    held: dict[tuple[int, int], tuple[int, int]] = {}
    high, rest = np.array(ALL, np.uint64).T
    with patch.multiple(key_runs, _SHORT=1, _RATIO=ratio, _SHARE=3, _LONGEST=longest, _SEGMENT=4):
        runs = KeyRuns()
        for now, (said, then) in enumerate(steps):
            runs.add(packed(said, now))
            held |= {key: (now, says) for key, says in said.items()}
            if then == "forget":
                runs.forget(now - 3)
                held = {key: holder for key, holder in held.items() if holder[0] >= now - 3}
            elif then:
                runs = KeyRuns(runs.segments()[::-1])
                assert runs.oldest == min((at for at, _ in held.values()), default=None)
            since, says = runs.holders(high.copy(), rest)
            nobody = (NOBODY, 0)
            assert [*zip(since.tolist(), says.tolist(), strict=True)] == [
                held.get(key, nobody) for key in ALL
            ]
            assert len(held) <= len(runs)
            assert runs.nbytes == 24 * len(runs)
            if held:
                assert runs.oldest is not None
                assert runs.oldest <= min(at for at, _ in held.values())
        runs.forget(len(steps))
        assert (len(runs), runs.oldest, runs.segments()) == (0, None, [])


def test_an_addition_moves_few_of_many_keys() -> None:
    chance, runs, moved = np.random.default_rng(1), KeyRuns(), []
    merged = SortedKeys.merged

    def counted(keys: SortedKeys, later: SortedKeys) -> SortedKeys:
        moved[-1] += len(keys) + len(later)
        return merged(keys, later)

    with patch.object(key_runs, "_LONGEST", 10_000), patch.object(SortedKeys, "merged", counted):
        for now in range(800):
            moved.append(0)
            high = np.sort(chance.integers(0, 1 << 63, 500, np.uint64))
            runs.add(SortedKeys.pack(high, high >> 32, high >> 27, np.full(500, now)))
    assert len(runs) == 400_000
    assert max(moved) <= len(runs) // 5
    assert sum(moved) <= 50 * len(runs)

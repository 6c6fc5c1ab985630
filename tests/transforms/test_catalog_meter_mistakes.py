"""Each mistake in a meter is said with its file, line, key, value and the nearest right name."""

import pytest
from catalog_texts import FILE, METER, mistakes, of_meter

METERS = [
    (
        of_meter("agregation: sum"),
        ["3: meters[0].agregation: unknown key 'agregation'; did you mean 'aggregation'?"],
    ),
    (
        FILE.replace("count", "cuont"),
        ["3: meters[0].aggregation: 'cuont' is no aggregation; did you mean 'count'?"],
    ),
    (
        FILE.replace("count", "SUM, value: x"),
        ["3: meters[0].aggregation: 'SUM' is no aggregation; did you mean 'sum'?"],
    ),
    (
        FILE.replace("count", "p99"),
        [
            (
                "3: meters[0].aggregation: 'p99' is no aggregation;"
                " there is avg, count, latest, max, min, sum, unique_count"
            )
        ],
    ),
    (FILE.replace(", aggregation: count", ""), ["3: meters[0].aggregation: is required"]),
    (FILE.replace("name: m, ", ""), ["3: meters[0].name: is required"]),
    (FILE.replace("event_type: e, ", ""), ["3: meters[0].event_type: is required"]),
    (
        FILE.replace("name: m", "name: LLM-tokens"),
        [
            (
                "3: meters[0].name: 'LLM-tokens' is not a lower-case letter"
                " and up to 62 lower-case letters, digits or _"
            )
        ],
    ),
    (
        FILE.replace("name: m", "name: current"),
        ["3: meters[0].name: 'current' is taken: usage_current is the view of all meters"],
    ),
    (FILE + METER + "}", ["4: meters[1].name: 'm' is taken by meters[0].name on line 3"]),
    (
        FILE.replace("count", "sum"),
        ["3: meters[0].value: is required for sum: the path of what is aggregated"],
    ),
    (
        of_meter("value: tokens"),
        ["3: meters[0].value: count takes no value, it counts the events: leave 'tokens' out"],
    ),
    (
        FILE.replace("count", "max, value: a..b"),
        ["3: meters[0].value: 'a..b': there is an empty key: two dots in a row, or one at an end"],
    ),
    (
        FILE.replace("count", "max, value: {path: x}"),
        ["3: meters[0].value: must be a text, not a mapping"],
    ),
    (FILE.replace("_type: e", "_type: []"), ["3: meters[0].event_type: the list is empty"]),
    (
        FILE.replace("_type: e", "_type: [a, b, a]"),
        ["3: meters[0].event_type[2]: 'a' is taken by meters[0].event_type[0] on line 3"],
    ),
    (
        FILE.replace("_type: e", "_type: ''"),
        ["3: meters[0].event_type: '' has 0 characters, and must have 1 to 256"],
    ),
    (
        FILE.replace("_type: e", f"_type: [a, {'b' * 257}]"),
        [f"3: meters[0].event_type[1]: '{'b' * 60}…' has 257 characters, and must have 1 to 256"],
    ),
    (
        FILE.replace("_type: e", "_type: {name: e}"),
        ["3: meters[0].event_type: must be a text or a list of texts, not a mapping"],
    ),
    (of_meter("where: region"), ["3: meters[0].where: must be a mapping, not the text 'region'"]),
    (of_meter("where: {region: []}"), ["3: meters[0].where.region: the list is empty"]),
    (
        of_meter("where: {region: }"),
        ['3: meters[0].where.region: there is no text here; the empty text is written ""'],
    ),
    (
        of_meter("where: {region: {not: us}}"),
        ["3: meters[0].where.region: must be a text or a list of texts, not a mapping"],
    ),
    (
        of_meter("where: {region: [[us]]}"),
        ["3: meters[0].where.region[0]: must be a text, not a list"],
    ),
    (
        of_meter("where: {$.: us}"),
        ["3: meters[0].where['$.']: '$.': a path must name a field"],
    ),
    (
        of_meter("dimensions: model"),
        [
            (
                "3: meters[0].dimensions: must be a list of paths, or a mapping of names to paths,"
                " not the text 'model'"
            )
        ],
    ),
    (
        of_meter("dimensions: [model, $.model]"),
        [
            (
                "3: meters[0].dimensions[1]: 'model' is taken by meters[0].dimensions[0] on line 3;"
                " columns know no upper and lower case"
            )
        ],
    ),
    (
        of_meter("dimensions: {Model: a, model: b}"),
        [
            (
                "3: meters[0].dimensions.model: 'model' is taken by meters[0].dimensions.Model"
                " on line 3; columns know no upper and lower case"
            )
        ],
    ),
    (
        of_meter("dimensions: [quantity]"),
        [
            (
                "3: meters[0].dimensions[0]: 'quantity' is a column of usage;"
                " give the dimension another name, as in {another_name: path}"
            )
        ],
    ),
    (
        of_meter("dimensions: {Label: tag}"),
        [
            (
                "3: meters[0].dimensions.Label: 'Label' is a column of the rates;"
                " give the dimension another name, as in {another_name: path}"
            )
        ],
    ),
    (
        of_meter("dimensions: {'': tag}"),
        [
            (
                "3: meters[0].dimensions['']: '': a name has a character,"
                " no space at its ends, no control characters"
            )
        ],
    ),
    (
        of_meter("dimensions: {tag: }"),
        ['3: meters[0].dimensions.tag: there is no text here; the empty text is written ""'],
    ),
    (
        of_meter("dimensions: ['tags[0]']"),
        [
            (
                "3: meters[0].dimensions[0]: 'tags[0]': tags[0]: a path does not go into arrays;"
                ' if this is the whole key, write "tags[0]"'
            )
        ],
    ),
    (
        of_meter("window: 25h"),
        ["3: meters[0].window: '25h': a window is 1m to 1d long"],
    ),
    (
        of_meter("allowed_lateness: 40000d"),
        ["3: meters[0].allowed_lateness: '40000d': a length is at most 36500d"],
    ),
    (of_meter("unit: [token]"), ["3: meters[0].unit: must be a text, not a list"]),
]


@pytest.mark.parametrize(("text", "said"), METERS)
def test_a_mistake_is_said_where_it_is(text: str, said: list[str]) -> None:
    assert mistakes(text) == [f"c.yaml:{each}" for each in said]

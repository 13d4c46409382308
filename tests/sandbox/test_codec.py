"""Plain values cross unchanged; whatever a candidate sends, reading it is safe."""

import collections
import datetime
import decimal
import fractions
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deimos.sandbox.exchange.codec import DEPTH, Malformed, Reader, TooLarge, Unsupported, Writer
from deimos.sandbox.isolation.containers import fill

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
    | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) | st.fractions(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner)
    | st.dictionaries(st.text() | st.integers(), inner) | st.sets(st.integers())
    | st.frozensets(st.text()),
    max_leaves=30,
)  # fmt: skip


def sent(value):
    writer = Writer()
    writer.put(value)
    return Reader(bytes(writer.out)).get()


@given(plain)
def test_values_and_types_survive(value):
    assert repr(sent(value)) == repr(value) or sorted(repr(sent(value))) == sorted(repr(value))


def test_odd_values_survive():
    assert math.isnan(sent(float("nan"))) and sent(float("-inf")) == float("-inf")
    assert math.copysign(1, sent(-0.0)) == -1
    assert sent(10**5000) == 10**5000 and sent(-(2**70)) == -(2**70)
    assert type(sent(True)) is bool and type(sent(1)) is int
    assert sent("\ud800") == "\ud800" and sent(range(3, 9, 2)) == range(3, 9, 2)
    for value in (
        collections.Counter("aab"), collections.deque([1, 2]), collections.OrderedDict(b=1, a=2),
        decimal.Decimal("1.10"), fractions.Fraction(1, 3), datetime.date(2024, 2, 29),
        datetime.timedelta(1, 2, 3), datetime.time(1, 2), datetime.datetime(2024, 1, 2, 3),  # noqa: DTZ001
        bytearray(b"x"), int, type(None),
    ):  # fmt: skip
        assert sent(value) == value and type(sent(value)) is type(value)
    assert sent(re.match("a+", "aab")).group() == "aa" and sent(re.match("a", "a"))


def test_numpy_survives():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(6, dtype="float32").reshape(2, 3)
    assert (sent(array) == array).all() and sent(array).dtype == array.dtype
    assert sent(numpy.int64(3)) == 3 and type(sent(numpy.float64(1))) is numpy.float64
    with pytest.raises(Unsupported):
        sent(numpy.array([object()]))


@given(
    st.lists(
        st.tuples(
            st.integers(1, 90),
            st.sampled_from([1, -(2**63), 2**63, 0.5, float("inf"), True, None, "x", [2], (3,)]),
        ),
        max_size=6,
    ),
    st.sampled_from([list, tuple]),
)
def test_long_lists_survive_whatever_their_runs(runs, kind):
    value = kind(item for count, item in runs for _ in range(count))
    found = sent(value)
    assert found == value and type(found) is kind
    assert [type(item) for item in found] == [type(item) for item in value]


def test_a_long_list_may_hold_itself():
    value = [*range(100)]
    value.append(value)
    found = sent([value, value])
    assert found[0] is found[1] and found[0][100] is found[0] and found[0][:100] == [*range(100)]


@pytest.mark.parametrize(
    "data", [b"pl", b"pl\0\0\0\1q\0\0\0\2" + bytes(15), b"pl\0\0\0\1x\0\0\0\1N", b"pd\0\0\0\0",
             b"pl\0\0\0\1v\xff\xff\xff\xffN", b"pl\xff\xff\xff\xffq\0\0\0\0"],
)  # fmt: skip
def test_runs_that_no_honest_sender_writes(data):
    with pytest.raises(Malformed):
        Reader(data).get()


def test_sharing_and_cycles_survive():
    inner = [1]
    twice = sent([inner, inner])
    assert twice[0] is twice[1]
    inner.append(inner)
    loop = sent(inner)
    assert loop[1] is loop


def test_what_is_not_plain_does_not_cross():
    class Three(int):
        pass

    for value in (Three(3), object(), len, collections.namedtuple("P", "x")(1), Three):
        with pytest.raises(Unsupported):
            sent(value)


def test_depth_and_size_have_limits():
    deep = 3
    for _ in range(DEPTH + 1):
        deep = (deep,)
    with pytest.raises(TooLarge):
        sent(deep)
    with pytest.raises(TooLarge):
        sent(["x" * (1 << 20)] * 40)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_malformed(data):
    try:
        Reader(data).get()
    except Malformed:
        pass


@given(
    st.lists(
        st.sampled_from(
            [b"l", b"t", b"d", b"S", b"R", b"i", b"n", b"\0\0\0\1", b"\0\0\0\0", b"N", b"<f8"]
        )
    )
)
def test_hostile_bytes_are_a_value_or_malformed(parts):
    try:
        Reader(b"".join(parts)).get()
    except Malformed:
        pass


@pytest.mark.parametrize(
    ("made", "items", "want"),
    [
        ([1], [2, 3], [2, 3]),
        ({1: 2}, [3, 4], {3: 4}),
        ({1}, [2], {2}),
        (bytearray(b"a"), [b"bc"], bytearray(b"bc")),
    ],
)
def test_a_container_takes_another_s_content(made, items, want):
    fill(made, items)
    assert made == want

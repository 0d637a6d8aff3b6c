"""HPACK with a memory means what hpack means, whatever came before."""

from __future__ import annotations

from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from fanlight.wire.h2_hpack import RememberingDecoder, RememberingEncoder

names = st.sampled_from([b"a", b"b", b"content-type", b"date", b"authorization", b"set-cookie", b"x-long"])
values = st.sampled_from([b"", b"1", b"2", b"text/plain", b"v" * 200])
lists = st.lists(st.tuples(names, values), min_size=1, max_size=6)
sizes = st.sampled_from([0, 64, 300, 4096])
steps = st.lists(lists | sizes, max_size=40)


@given(steps)
def test_what_an_encoder_that_remembers_writes_is_read_as_it_was(steps: list[list[tuple[bytes, bytes]] | int]) -> None:
    encoder, decoder = RememberingEncoder(), Decoder()
    for step in steps:
        if isinstance(step, int):
            encoder.header_table_size = step
        else:
            for _ in range(3):
                assert [tuple(field) for field in decoder.decode(encoder.encode(tuple(step)), raw=True)] == step


@given(st.lists(lists, max_size=30))
def test_without_a_change_of_size_it_writes_what_hpack_writes(every: list[list[tuple[bytes, bytes]]]) -> None:
    plain, ours = Encoder(), RememberingEncoder()
    for fields in every:
        for _ in range(3):
            assert ours.encode(tuple(fields)) == plain.encode(fields)


def test_its_table_stays_small() -> None:
    encoder = RememberingEncoder()
    encoder.header_table_size = 1 << 20
    assert encoder.header_table_size == 4096


@given(steps)
def test_a_decoder_that_remembers_reads_what_another_reads(steps: list[list[tuple[bytes, bytes]] | int]) -> None:
    encoder, plain, ours = Encoder(), Decoder(), RememberingDecoder()
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # hpack's encoder forgets a change that is said twice
                encoder.header_table_size = step
        else:
            for _ in range(3):
                block = encoder.encode(step)
                assert list(ours.decode(block, raw=True)) == list(plain.decode(block, raw=True))


def test_what_recurs_is_not_coded_again() -> None:
    encoder = RememberingEncoder()
    fields = ((b":status", b"200"), (b"content-type", b"text/plain"))
    encoder.encode(fields)  # adds to the table
    assert encoder.encode(fields) is encoder.encode(fields)


def test_credentials_are_never_remembered() -> None:
    encoder, decoder = Encoder(), RememberingDecoder()
    fields = ((b":method", b"GET"), (b"authorization", b"Bearer secret-of-ada"))
    for _ in range(3):
        decoder.decode(encoder.encode(fields), raw=True)
    assert b"secret-of-ada" not in repr(decoder._memory._known).encode()


def test_a_list_that_was_read_may_be_changed_by_its_reader() -> None:
    encoder, decoder = Encoder(), RememberingDecoder()
    block = encoder.encode([(b":method", b"GET")])
    first = list(decoder.decode(block, raw=True))
    again = decoder.decode(block, raw=True)
    assert isinstance(again, list)
    again.clear()
    assert list(decoder.decode(block, raw=True)) == first


def test_the_memory_is_bounded() -> None:
    encoder = RememberingEncoder()
    encoder.header_table_size = 0
    encoder.encode(((b":status", b"200"),))
    for number in range(500):
        encoder.encode(((b"a", b"%d" % number),))
    assert len(encoder._memory._known) <= 32

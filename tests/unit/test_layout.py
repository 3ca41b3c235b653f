from __future__ import annotations

import msgspec
import pytest

from qawait.errors import ConfigurationError
from qawait.layout import Layout

TWO_REGISTERS = Layout((("a", 2), ("b", 1)), (("a_2_0", 0), ("a_2_0", 1), ("b_1_1", 0)))


def test_one_key_per_bit_is_read_back():
    """As IQM's Qiskit adapter writes them; sorted keys go 0, 1, 10, 2."""
    widths = {f"c_12_0_{bit}": 1 for bit in sorted(map(str, range(12)))}
    layout = Layout.from_keys(widths)
    assert layout is not None
    assert layout.registers == (("c", 12),)
    assert layout.bits == tuple((f"c_12_0_{bit}", 0) for bit in range(12))


def test_one_key_per_register_is_read_back():
    assert Layout.from_keys({"b_1_1": 1, "a_2_0": 2}) == TWO_REGISTERS


def test_both_forms_may_stand_side_by_side():
    layout = Layout.from_keys({"b_2_1_1": 1, "a_3_0": 3, "b_2_1_0": 1})
    assert layout == Layout(
        (("a", 3), ("b", 2)),
        (("a_3_0", 0), ("a_3_0", 1), ("a_3_0", 2), ("b_2_1_0", 0), ("b_2_1_1", 0)),
    )


def test_a_bit_without_a_key_is_never_measured():
    layout = Layout.from_keys({"c_3_0_2": 1, "c_3_0_0": 1})
    assert layout == Layout((("c", 3),), (("c_3_0_0", 0), None, ("c_3_0_2", 0)))


def test_a_register_without_a_key_is_missing():
    layout = Layout.from_keys({"c_1_2_0": 1, "a_1_0_0": 1})
    assert layout == Layout((("a", 1), ("c", 1)), (("a_1_0_0", 0), ("c_1_2_0", 0)))


def test_names_of_registers_may_hold_underscores_and_numbers():
    layout = Layout.from_keys({"my_7_reg_2_0": 2, "ein_e_1_1_0": 1})
    assert layout is not None
    assert layout.registers == (("my_7_reg", 2), ("ein_e", 1))


def test_a_key_of_one_component_that_fits_both_forms_is_that_of_a_bit():
    layout = Layout.from_keys({"b_2_1_0": 1})
    assert layout == Layout((("b", 2),), (("b_2_1_0", 0), None))


def test_earlier_values_of_a_bit_are_ignored():
    widths = {"overwritten_0": 2, "a_2_0": 2, "b_1_1": 1}
    assert Layout.from_keys(widths) == TWO_REGISTERS


@pytest.mark.parametrize(
    "widths",
    [
        {},
        {"overwritten_0": 1},
        {"m": 2},
        {"a_2_0": 2, "m": 1},
        {"a_2_0": 3},
        {"a_2_0_0": 2},
        {"a_2_0_2": 1},
        {"a_0_0": 0},
        {"a_02_0": 2},
        {"a_٢_0": 2},
        {"_2_0": 2},
        {"a_2_0": 2, "b_2_0": 2},
        {"a_2_0": 2, "a_3_0_1": 1},
        {"a_2_0": 2, "a_2_0_1": 1},
        {"a_2_0": 2, "a_1_1": 1},
        {"a_9000000_0_0": 1},
        {"a_99999999999_0_0": 1},
    ],
)
def test_keys_that_do_not_all_agree_tell_nothing(widths):
    assert Layout.from_keys(widths) is None


def test_native_keys_become_registers_in_their_order():
    assert Layout.of_keys({"m": 2, "k": 1}) == Layout(
        (("m", 2), ("k", 1)), (("m", 0), ("m", 1), ("k", 0))
    )


def test_a_layout_goes_through_json():
    layout = Layout((("a", 1), ("b", 1)), (("m", 3), None))
    body = msgspec.json.encode(layout)
    assert body == b'{"registers":[["a",1],["b",1]],"bits":[["m",3],null]}'
    assert msgspec.json.decode(body, type=Layout) == layout


@pytest.mark.parametrize(
    ("registers", "bits"),
    [((("a", 2),), (("m", 0),)), ((("a", 1), ("a", 1)), (("m", 0), ("m", 1)))],
)
def test_a_layout_that_contradicts_itself_is_refused(registers, bits):
    with pytest.raises(ConfigurationError, match="register"):
        Layout(registers, bits)


def test_a_register_is_found_among_the_joined_bits():
    assert TWO_REGISTERS.place("a") == (0, 2)
    assert TWO_REGISTERS.place("b") == (2, 1)
    assert TWO_REGISTERS.only("b") == Layout((("b", 1),), (("b_1_1", 0),))
    assert TWO_REGISTERS.only(None) is TWO_REGISTERS
    with pytest.raises(KeyError, match="no register 'c'; there are: a, b"):
        TWO_REGISTERS.place("c")

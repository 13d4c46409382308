"""Units on both sides must be one and the same; a unit may be missing on one side, and be spelled in many ways."""

import pytest

from deimos.graders.math import math
from deimos.graders.math.units.names import NAMES, SYMBOLS, powers_of

OTHERS = r"""
12\text{ kWh}|12\text{ kW}
12\text{ kWh}|12\text{ kJ}
3\text{ A}|3\text{ Ah}
3\text{ V}|3\text{ A}
3\text{ mA}|3\text{ A}
3\text{ nm}|3\text{ m}
3\text{ Hz}|3\text{ kHz}
3\text{ knots}|3\text{ mph}
3\text{ dB}|3\text{ Hz}
3\text{ MB}|3\text{ Mb}
3\text{ MB}|3\text{ GB}
3\text{ MB}|3\text{ MiB}
3\text{ mW}|3\text{ MW}
3\text{ mHz}|3\text{ MHz}
3\text{ }\mu\text{m}|3\text{ m}
3\text{ μA}|3\text{ A}
3\,\mathrm{k\Omega}|3\,\Omega
3\text{ k}\Omega|3\text{ Ω}
3\text{ k}\Omega|3\text{ M}\Omega
20^\circ\text{C}|20^\circ\text{F}
20\text{ K}|20^\circ\text{C}
20\text{ degrees Celsius}|20\text{ degrees Fahrenheit}
\$5|5\text{ euros}
£5|\$5
5\text{ USD}|5\text{ EUR}
5\text{ yen}|5\text{ yuan}
5\text{ cents}|5\text{ dollars}
3\text{ light years}|3\text{ years}
3\text{ nautical miles}|3\text{ miles}
3\text{ arc minutes}|3\text{ minutes}
3\text{ m/s}|3\text{ km/s}
3\text{ m/s}|3\text{ m/s}^2
3\text{ km/h}|3\text{ knots}
3\text{ atm}|3\text{ Pa}
3\text{ bar}|3\text{ mbar}
3\text{ psi}|3\text{ kPa}
3\text{ mmHg}|3\text{ mm}
3\text{ eV}|3\text{ keV}
3\text{ cal}|3\text{ kcal}
3\text{ cal}|3\text{ J}
3\text{ Mbps}|3\text{ MBps}
3\text{ Mbps}|3\text{ Mb}
3\text{ rad}|3^\circ
3\text{ rpm}|3\text{ Hz}
3\text{ rad/s}|3\text{ rad}
3\text{ hours}|3\text{ h/day}
3\text{ kilowatts}|3\text{ kilowatt hours}
3\text{ megabytes}|3\text{ megabits}
3\text{ nanometers}|3\text{ meters}
3\text{ N}|3\text{ N m}
3\text{ mol}|3\text{ mmol}
3\text{ pF}|3\text{ nF}
3\text{ H}|3\text{ mH}
3\text{ dBm}|3\text{ dB}
3\text{ Sv}|3\text{ mSv}
3\text{ ns}|3\text{ s}
3\text{ ms}|3\text{ s}
12 kWh|12 kW
12 kWh|12\text{ kW}
3 nm|3\text{ m}
5\text{ pounds}|5\text{ kg}
5\text{ tablespoons}|5\text{ teaspoons}
5\text{ quarts}|5\text{ pints}
5\text{ oz}|5\text{ lb}
5\text{ hp}|5\text{ W}
5\text{ C}|5\text{ A}
5\text{ fortnights}|5\text{ weeks}
5\text{ decades}|5\text{ years}
5\text{ A}|5\text{ a}
5\text{ lumens}|5\text{ lux}
5\text{ Wb}|5\text{ T}
5\text{ xyz}|5\text{ m}
3\text{ V}|3\text{ apples}
3\text{ kWh}|3\text{ apples}
3\text{ kW}|3\text{ apples}
3\text{ m}|3\text{ apples}
3\text{ C}|3\text{ cats}
3\text{ A}|3\text{ cats}
3\text{ xyz/s}|3\text{ m/s}
3\text{ m/s}|3\text{ apples per second}
3\text{ widgets/h}|3\text{ km/h}
3\text{ GB}|3\text{ files}
\$3|3\text{ kW}
\$3|3\text{ Rs}
3\text{ W/m}^2|3\text{ W/m}
3\text{ J/kg}|3\text{ J}
3\text{ }\frac{\text{m}}{\text{s}}|3\text{ }\frac{\text{km}}{\text{s}}
3\frac{\text{m}}{\text{s}}|3\frac{\text{m}}{\text{s}^2}
3\ \mathrm{kg\,m/s}|3\ \mathrm{kg\,m^2/s}
3\ \mathrm{kg\cdot m/s^2}|3\ \mathrm{kg\cdot m/s}
3\ \mathrm{mol/L}|3\ \mathrm{mmol/L}
3\text{ mg/dL}|3\text{ mg/L}
3\text{ kB}|3\text{ KiB}
3\text{ k bits}|3\text{ bits}
3\text{ kilo watts}|3\text{ watts}
3\text{ million dollars}|3\text{ dollars}
3\text{ volts}|3\text{ watts}
3\text{ volts}|3\text{ millivolts}
3\text{ V/m}|3\text{ V}
3\text{ fl oz}|3\text{ lb}
3\text{ deg/s}|3\text{ rad/s}
45^\circ|45\text{ rad}
45^\circ\text{C}|45\text{ K}
3\text{ rev}|3\text{ rad}
3\text{ minutes}|3\text{ min/km}
3\text{ hr}|3\text{ min}
3\text{ miles}|3\text{ miles per hour}
3\text{ US gallons}|3\text{ liters}
3\text{ sq m}|3\text{ m}
3\text{ sqft}|3\text{ sqm}
3\text{ sqft}|3\text{ ft}
3,4\text{ kW}|3,4\text{ kWh}
(3,4)\text{ kW}|(3,4)\text{ kWh}
x=3\text{ kW}|x=3\text{ kWh}
\frac{3}{2}\text{ kW}|\frac32\text{ kWh}
3.5\times 10^3\text{ kW}|3.5\times 10^3\text{ kWh}
\sqrt{2}\text{ V}|\sqrt{2}\text{ A}
2\pi\text{ Hz}|2\pi\text{ rad}
3\;kWh|3\;kW
3 Ah|3 A
3\text{A}|3\text{V}
3A|3V
50\%|50\text{ kW}
3\text{ tonnes}|3\text{ kg}
3\text{ degrees}|3\text{ degrees Celsius}
5\text{ GBP}|5\text{ lbs}
3\text{ mmol}|3\text{ mm}
three kilowatts|three kilowatt hours
\text{3 kW}|\text{3 kWh}
\text{three volts}|\text{three amps}
3\text{ mV}|3\text{ MV}
3\text{ Pa s}|3\text{ Pa}
"""
SAME = r"""
12\text{ kWh}|12 kWh
12\text{ kWh}|12kWh
12\text{ kWh}|12\text{ kilowatt-hours}
12\text{ kWh}|12\text{ kW}\cdot\text{h}
12\text{ kWh}|12
12|12\text{ kWh}
3\text{ A}|3\text{ amps}
3\text{ A}|3
3\text{ nm}|3\text{ nanometers}
3\text{ nm}|3 nm
3\text{ nm}|3nm
3\text{ }\mu\text{m}|3\text{ micrometers}
3\text{ }\mu\text{m}|3\,\mathrm{\mu m}
3\text{ μm}|3~\mu m
3\text{ μm}|3~\mu\text{m}
3\,\mathrm{k\Omega}|3\text{ kilohms}
3\,\mathrm{k\Omega}|3\text{ k}\Omega
3\,\Omega|3\text{ ohms}
3\text{ kHz}|3\text{ KHz}
3\text{ kHz}|3\text{ kilohertz}
20\text{ °C}|20^\circ\text{C}
20\text{ °C}|20^\circ C
20\text{ °C}|20\text{ degrees Celsius}
20\text{ °C}|20\text{ C}
20\text{ °C}|20
5\text{ C}|5\text{ coulombs}
£5|5\text{ pounds}
5\text{ lbs}|5\text{ pounds}
5\text{ GBP}|£5
₹5|5\text{ Rs}
3\text{ mph}|3\text{ miles per hour}
3\text{ Mbps}|3\text{ Mb/s}
3\text{ MB}|3\text{ megabytes}
3\text{ Nm}|3\text{ N}\cdot\text{m}
3\text{ m s}^{-1}|3\text{ m/s}
3\text{ rpm}|3\text{ rev/min}
3\text{ l}|3\text{ L}
3\text{ pcs}|3\text{ pieces}
3\text{ units}|3\text{ cm}
3\text{ US dollars}|\$3
3\text{ µs}|3\text{ microseconds}
3\text{ pts}|3\text{ points}
3\text{ sqft}|3\text{ square feet}
3\text{ kmtr}|3\text{ km}
3\text{ kV}|3\,\mathrm{kV}
3\text{ Å}|3\text{ angstroms}
3\text{ Nm}|3
5\text{ mA}|5\text{ milliamps}
5\text{ mAh}|5\text{ milliampere-hours}
3\text{ kg m/s}|3\text{ kg}\cdot\text{m/s}
3\ \mathrm{kg\,m\,s^{-1}}|3\text{ kg m/s}
3\text{ J/(kg K)}|3\text{ J/kg/K}
3\text{ J/(kg K)}|3\text{ J kg}^{-1}\text{K}^{-1}
9.8\text{ m/s}^2|9.8\text{ m s}^{-2}
5\text{ cups of flour}|5\text{ cups}
3\text{ hours}|3\text{ h}
3\text{ volts}|3\text{ V}
3\text{ degrees per second}|3\text{ deg/s}
\text{3 kW}|3\text{ kilowatts}
three kilowatts|3\text{ kW}
3\text{ mol/L}|3\text{ moles per liter}
3\text{ gigabytes}|3 GB
3 GB|3\text{ GB}
3 V|3\text{ V}
3V|3\text{ V}
3A|3\text{ A}
3\text{ amperes}|3 A
5\text{ apples}|5
3\text{ US dollars}|3\text{ dollars}
"""


def pairs(text):
    lines = [tuple(line.split("|")) for line in text.strip().splitlines()]
    return [*lines, *((b, a) for a, b in lines)]


@pytest.mark.parametrize(("reference", "answer"), pairs(OTHERS))
def test_two_units_that_differ(reference, answer):
    verdict = math(f"So it is \\boxed{{{answer}}}.", reference)
    assert verdict.ok is False, verdict.because


@pytest.mark.parametrize(("reference", "answer"), pairs(SAME))
def test_one_unit_in_two_spellings_or_none(reference, answer):
    verdict = math(f"So it is \\boxed{{{answer}}}.", reference)
    assert verdict.ok is True, verdict.because


def test_no_symbol_of_the_table_is_taken_for_another():
    """One of each unit that symbols stand for: none is the same as the next."""
    one_each = {tuple(sorted(made.items())): symbol for symbol, made in SYMBOLS.items()}
    symbols = [*one_each.values()]  # "7 pm" is a time
    for here, there in zip(symbols, [*symbols[1:], symbols[0]], strict=True):
        assert math(f"\\boxed{{7\\text{{ {here}}}}}", f"7\\text{{ {there}}}").ok is False, (
            here,
            there,
        )
        if here != "pm":
            assert math(f"\\boxed{{7\\text{{ {here}}}}}", "7").ok, here


def test_case_matters_where_it_tells_two_units_apart():
    assert powers_of("mW") != powers_of("MW") and powers_of("KHZ") == powers_of("kHz")
    assert powers_of("mhz") is None and "mhz" not in NAMES  # milli or mega: cannot be said

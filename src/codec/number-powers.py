#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes number-powers.h: the powers of ten that number.c and number-format.c multiply with.

10^e = m * 2^k for e from -342 to 324 with 2^127 <= m < 2^128, m rounded up to an integer. Decimal to binary needs
-342..308 (subnormal results of 19 digits up to the overflow), binary to decimal -292..324.
"""
FIRST, LAST = -342, 324


def significand(e):
    if e >= 0:
        power = 10 ** e
        shift = power.bit_length() - 128
        return -(-power >> shift) if shift > 0 else power << -shift
    power = 10 ** -e
    shift = power.bit_length() + 127  # 2^shift / power has 128 bits, as power is no power of two
    return -(-(1 << shift) // power)


print("// SPDX-License-Identifier: MIT")
print("// Written by number-powers.py. Top 128 bits of the powers of ten, rounded up: {high, low}.")
print(f"#define NUMBER_POWER_FIRST ({FIRST})")
print(f"#define NUMBER_POWER_LAST {LAST}")
print("static const struct number_power {\n    uint64_t high, low;\n} number_powers[] = {")
for e in range(FIRST, LAST + 1):
    m = significand(e)
    assert 1 << 127 <= m < 1 << 128, e
    print(f"    {{0x{m >> 64:016X}, 0x{m & (1 << 64) - 1:016X}}}, // 1e{e}")
print("};")

// SPDX-License-Identifier: MIT
// Random numbers that are functions of what they are for: no state, so any value can be computed at any time.
// The mixing function is SplitMix64 (Steele, Lea, Flood 2014).
#ifndef TOOLS_LOAD_RANDOM_H
#define TOOLS_LOAD_RANDOM_H

#include <stdint.h>

static inline uint64_t load_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline uint64_t load_hash(uint64_t seed, uint64_t a, uint64_t b)
{
    return load_mix(load_mix(seed ^ (a * UINT64_C(0xd6e8feb86659fd93))) ^ b);
}

static inline double load_unit(uint64_t hash) // [0, 1)
{
    return (double)(hash >> 11) * 0x1p-53;
}

// hash in [0, bound), bound < 2^32; multiplication instead of division.
static inline uint64_t load_below(uint64_t hash, uint64_t bound)
{
    return ((hash >> 32) * bound) >> 32;
}

#endif

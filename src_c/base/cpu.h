/* SPDX-License-Identifier: BSD-3-Clause
 * cpu.h - what this CPU can do and how large its caches are. */
#ifndef CC_CPU_H
#define CC_CPU_H

#include <stdbool.h>

bool cconv_cpu_has_any(void);    /* what all have */
bool cconv_cpu_has_avx2(void);   /* AVX2 and FMA, and the system saves their registers */
bool cconv_cpu_has_avx512(void); /* AVX-512 F, BW, DQ and VL, likewise */
bool cconv_cpu_has_amx(void);    /* and tiles of bfloat16 and bytes, which the system then lets this process use */

#endif

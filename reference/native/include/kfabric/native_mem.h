/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Native loads and stores for memory that somebody else also accesses.
 *
 * Owns: that an aligned value of 1, 2, 4 or 8 bytes is read or written by one
 * machine access with a stated order. A program that watches memory which a
 * provider writes needs this: a memcpy may tear, and an interpreter's buffer
 * access promises nothing.
 */
#ifndef KFABRIC_NATIVE_MEM_H
#define KFABRIC_NATIVE_MEM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum kf_mem_order {
	/* one access, no order with others */
	KF_MEM_RELAXED,
	/* a load acquires, a store releases */
	KF_MEM_ORDERED,
	/* sequentially consistent */
	KF_MEM_SEQ_CST,
};

/*
 * Return 0, or -EINVAL and no access when the size is not one of the four, the
 * address is not a multiple of it, or the order is unknown. The value is in
 * the machine's byte order, zero-extended; a store takes its low bytes.
 */
int kf_mem_load(const volatile void *addr, size_t size, enum kf_mem_order order,
		uint64_t *value);
int kf_mem_store(volatile void *addr, size_t size, enum kf_mem_order order,
		 uint64_t value);

/* All earlier accesses of this thread before all later ones. */
void kf_mem_fence(void);

#ifdef __cplusplus
}
#endif

#endif /* KFABRIC_NATIVE_MEM_H */

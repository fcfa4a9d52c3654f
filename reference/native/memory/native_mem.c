// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Owns: single native accesses, in C11 atomics. See kfabric/native_mem.h.
 *
 * One function for each order, by macro: a compiler may take an order that is
 * not a constant expression for the strongest one, and does.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kfabric/native_mem.h"

#define AT(type, addr) ((volatile _Atomic type *)(addr))
#define CONST_AT(type, addr) ((const volatile _Atomic type *)(addr))

#define DEFINE_LOAD(name, order)                                               \
	static uint64_t name(const volatile void *addr, size_t size)           \
	{                                                                      \
		switch (size) {                                                \
		case 1:                                                        \
			return atomic_load_explicit(CONST_AT(uint8_t, addr),   \
						    order);                    \
		case 2:                                                        \
			return atomic_load_explicit(CONST_AT(uint16_t, addr),  \
						    order);                    \
		case 4:                                                        \
			return atomic_load_explicit(CONST_AT(uint32_t, addr),  \
						    order);                    \
		default:                                                       \
			return atomic_load_explicit(CONST_AT(uint64_t, addr),  \
						    order);                    \
		}                                                              \
	}

#define DEFINE_STORE(name, order)                                              \
	static void name(volatile void *addr, size_t size, uint64_t value)     \
	{                                                                      \
		switch (size) {                                                \
		case 1:                                                        \
			atomic_store_explicit(AT(uint8_t, addr),               \
					      (uint8_t)value, order);          \
			break;                                                 \
		case 2:                                                        \
			atomic_store_explicit(AT(uint16_t, addr),              \
					      (uint16_t)value, order);         \
			break;                                                 \
		case 4:                                                        \
			atomic_store_explicit(AT(uint32_t, addr),              \
					      (uint32_t)value, order);         \
			break;                                                 \
		default:                                                       \
			atomic_store_explicit(AT(uint64_t, addr), value,       \
					      order);                          \
		}                                                              \
	}

DEFINE_LOAD(load_relaxed, memory_order_relaxed)
DEFINE_LOAD(load_acquire, memory_order_acquire)
DEFINE_LOAD(load_seq_cst, memory_order_seq_cst)
DEFINE_STORE(store_relaxed, memory_order_relaxed)
DEFINE_STORE(store_release, memory_order_release)
DEFINE_STORE(store_seq_cst, memory_order_seq_cst)

static bool is_native(const volatile void *addr, size_t size)
{
	return addr && (size == 1 || size == 2 || size == 4 || size == 8) &&
	       (uintptr_t)addr % size == 0;
}

/* Acquire pairs with the release in kf_mem_store, or with a provider's own. */
int kf_mem_load(const volatile void *addr, size_t size, enum kf_mem_order order,
		uint64_t *value)
{
	if (!value || !is_native(addr, size))
		return -EINVAL;

	switch (order) {
	case KF_MEM_RELAXED:
		*value = load_relaxed(addr, size);
		return 0;
	case KF_MEM_ORDERED:
		*value = load_acquire(addr, size);
		return 0;
	case KF_MEM_SEQ_CST:
		*value = load_seq_cst(addr, size);
		return 0;
	}
	return -EINVAL;
}

/* Release pairs with the acquire in kf_mem_load. */
int kf_mem_store(volatile void *addr, size_t size, enum kf_mem_order order,
		 uint64_t value)
{
	if (!is_native(addr, size))
		return -EINVAL;

	switch (order) {
	case KF_MEM_RELAXED:
		store_relaxed(addr, size, value);
		return 0;
	case KF_MEM_ORDERED:
		store_release(addr, size, value);
		return 0;
	case KF_MEM_SEQ_CST:
		store_seq_cst(addr, size, value);
		return 0;
	}
	return -EINVAL;
}

void kf_mem_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Owns: single native accesses, in C11 atomics. See kfabric/native_mem.h. */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "kfabric/native_mem.h"

static bool is_native(const volatile void *addr, size_t size)
{
	return addr && (size == 1 || size == 2 || size == 4 || size == 8) &&
	       (uintptr_t)addr % size == 0;
}

static uint64_t load(const volatile void *addr, size_t size, memory_order order)
{
	switch (size) {
	case 1:
		return atomic_load_explicit(
			(const volatile _Atomic uint8_t *)addr, order);
	case 2:
		return atomic_load_explicit(
			(const volatile _Atomic uint16_t *)addr, order);
	case 4:
		return atomic_load_explicit(
			(const volatile _Atomic uint32_t *)addr, order);
	default:
		return atomic_load_explicit(
			(const volatile _Atomic uint64_t *)addr, order);
	}
}

static void store(volatile void *addr, size_t size, memory_order order,
		  uint64_t value)
{
	switch (size) {
	case 1:
		atomic_store_explicit((volatile _Atomic uint8_t *)addr,
				      (uint8_t)value, order);
		break;
	case 2:
		atomic_store_explicit((volatile _Atomic uint16_t *)addr,
				      (uint16_t)value, order);
		break;
	case 4:
		atomic_store_explicit((volatile _Atomic uint32_t *)addr,
				      (uint32_t)value, order);
		break;
	default:
		atomic_store_explicit((volatile _Atomic uint64_t *)addr, value,
				      order);
	}
}

/* Pairs with the release in kf_mem_store, or with a provider's own. */
int kf_mem_load(const volatile void *addr, size_t size, enum kf_mem_order order,
		uint64_t *value)
{
	if (!value || !is_native(addr, size))
		return -EINVAL;

	switch (order) {
	case KF_MEM_RELAXED:
		*value = load(addr, size, memory_order_relaxed);
		return 0;
	case KF_MEM_ORDERED:
		*value = load(addr, size, memory_order_acquire);
		return 0;
	case KF_MEM_SEQ_CST:
		*value = load(addr, size, memory_order_seq_cst);
		return 0;
	}
	return -EINVAL;
}

/* Pairs with the acquire in kf_mem_load. */
int kf_mem_store(volatile void *addr, size_t size, enum kf_mem_order order,
		 uint64_t value)
{
	if (!is_native(addr, size))
		return -EINVAL;

	switch (order) {
	case KF_MEM_RELAXED:
		store(addr, size, memory_order_relaxed, value);
		return 0;
	case KF_MEM_ORDERED:
		store(addr, size, memory_order_release, value);
		return 0;
	case KF_MEM_SEQ_CST:
		store(addr, size, memory_order_seq_cst, value);
		return 0;
	}
	return -EINVAL;
}

void kf_mem_fence(void)
{
	atomic_thread_fence(memory_order_seq_cst);
}

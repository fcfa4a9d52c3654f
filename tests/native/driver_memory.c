// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Native loads and stores, to be run under the sanitizers: every size against
 * a byte image, every refusal, and two threads that hand bytes over with an
 * ordered flag, which the thread sanitizer takes apart if the order is missing.
 * Exits 0, or 1 with the line that did not hold.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kfabric/native_mem.h"

#define ROUNDS 50
#define SLOTS 512
#define WORDS 8

#define HOLDS(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			exit(1);                                               \
		}                                                              \
	} while (0)

static const enum kf_mem_order orders[] = { KF_MEM_RELAXED, KF_MEM_ORDERED,
					    KF_MEM_SEQ_CST };

static void sizes(void)
{
	_Alignas(8) unsigned char image[16], expected[16];
	const uint64_t pattern = 0x8182838485868788u;
	size_t size, at, o;
	uint64_t value;

	for (size = 1; size <= 8; size *= 2) {
		for (at = 0; at < sizeof(image); at += size) {
			for (o = 0; o < sizeof(orders) / sizeof(orders[0]);
			     o++) {
				memset(image, 0x11, sizeof(image));
				memset(expected, 0x11, sizeof(expected));
				HOLDS(!kf_mem_store(image + at, size, orders[o],
						    pattern));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
				memcpy(expected + at, &pattern, size);
#else
				memcpy(expected + at,
				       (const char *)&pattern + 8 - size, size);
#endif
				HOLDS(!memcmp(image, expected, sizeof(image)));
				HOLDS(!kf_mem_load(image + at, size, orders[o],
						   &value));
				HOLDS(value == pattern << (64 - 8 * size) >>
						       (64 - 8 * size));
			}
		}
	}
}

static void refusals(void)
{
	_Alignas(8) unsigned char image[16] = { 0 };
	uint64_t value = 77;
	size_t size, at;

	for (size = 0; size < 20; size++) {
		for (at = 0; at < 8; at++) {
			if ((size == 1 || size == 2 || size == 4 ||
			     size == 8) &&
			    at % size == 0)
				continue;
			HOLDS(kf_mem_load(image + at, size, KF_MEM_RELAXED,
					  &value) == -EINVAL);
			HOLDS(kf_mem_store(image + at, size, KF_MEM_RELAXED,
					   ~0ULL) == -EINVAL);
		}
	}
	HOLDS(kf_mem_load(NULL, 1, KF_MEM_RELAXED, &value) == -EINVAL);
	HOLDS(kf_mem_load(image, 1, KF_MEM_RELAXED, NULL) == -EINVAL);
	HOLDS(kf_mem_load(image, 1, (enum kf_mem_order)9, &value) == -EINVAL);
	HOLDS(kf_mem_store(NULL, 1, KF_MEM_RELAXED, 1) == -EINVAL);
	HOLDS(kf_mem_store(image, 1, (enum kf_mem_order)9, 1) == -EINVAL);
	HOLDS(value == 77);
	for (at = 0; at < sizeof(image); at++)
		HOLDS(image[at] == 0);
}

/*
 * One way only: a producer that had to wait for its consumer would fill the
 * thread sanitizer's memory of what it did with the waiting.
 */
static struct slot {
	uint64_t full;
	uint64_t plain[WORDS];
} slots[SLOTS];

static void *produce(void *unused)
{
	uint64_t at;
	size_t i;

	for (at = 0; at < SLOTS; at++) {
		for (i = 0; i < WORDS; i++)
			slots[at].plain[i] = at + i;
		/* pairs with the load of `full` in consume */
		kf_mem_store(&slots[at].full, 8, KF_MEM_ORDERED, at + 1);
	}
	return unused;
}

static void consume(void)
{
	uint64_t at, full;
	size_t i;

	for (at = 0; at < SLOTS; at++) {
		do {
			HOLDS(!kf_mem_load(&slots[at].full, 8, KF_MEM_ORDERED,
					   &full));
		} while (full != at + 1);
		for (i = 0; i < WORDS; i++)
			HOLDS(slots[at].plain[i] == at + i);
	}
}

static void handover(void)
{
	pthread_t producer;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		memset(slots, 0, sizeof(slots));
		HOLDS(!pthread_create(&producer, NULL, produce, NULL));
		consume();
		HOLDS(!pthread_join(producer, NULL));
	}
	kf_mem_fence();
}

int main(void)
{
	sizes();
	refusals();
	handover();
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Takes the loader through everything a caller can do to it, right and wrong,
 * to be run under the sanitizers. Needs no libfabric; with one (its path as
 * the only argument, or "system") it goes on to discover and free.
 * Exits 0, or 1 with the line that did not hold.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kfabric/fi_loader.h"

#define THREADS 4

#define HOLDS(condition)                                                       \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			exit(1);                                               \
		}                                                              \
	} while (0)

static void refusals(void)
{
	struct kf_fi fi;
	char text[512];
	char one[1];
	char *longname = malloc(8192);

	HOLDS(longname);
	memset(longname, 'x', 8191);
	longname[8191] = '\0';

	HOLDS(kf_fi_load(NULL, NULL, text, sizeof(text)) == -FI_EINVAL);
	HOLDS(text[0]);
	HOLDS(kf_fi_load(&fi, "/does/not/exist", text, sizeof(text)) ==
	      -FI_ENOENT);
	HOLDS(strstr(text, "/does/not/exist") && strstr(text, "apt install"));
	HOLDS(!fi.handle && !fi.getinfo);
	HOLDS(kf_fi_load(&fi, longname, text, sizeof(text)) == -FI_ENOENT);
	HOLDS(strlen(text) < sizeof(text));
	HOLDS(kf_fi_load(&fi, longname, one, sizeof(one)) == -FI_ENOENT);
	HOLDS(!one[0]);
	HOLDS(kf_fi_load(&fi, longname, NULL, 0) == -FI_ENOENT);
	HOLDS(kf_fi_load(&fi, "libc.so.6", text, sizeof(text)) == -FI_ENOSYS);
	HOLDS(strstr(text, "fi_version@FABRIC_1.0"));
	HOLDS(!fi.handle && !fi.getinfo);

	kf_fi_unload(NULL);
	kf_fi_unload(&fi);
	kf_fi_unload(&fi);
	free(longname);
}

static void *load_and_unload(void *path)
{
	struct kf_fi fi;
	char text[512];

	HOLDS(kf_fi_load(&fi, path, text, sizeof(text)) == 0);
	HOLDS(!text[0] && fi.path[0]);
	HOLDS(fi.version >= KF_OFI_OLDEST && fi.api_version <= KF_OFI_NEWEST);
	HOLDS(fi.domain_attr_size <= sizeof(struct fi_domain_attr));
	kf_fi_unload(&fi);
	HOLDS(!fi.handle && !fi.getinfo);
	return NULL;
}

static void side_by_side(char *path)
{
	pthread_t threads[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		HOLDS(!pthread_create(&threads[i], NULL, load_and_unload,
				      path));
	for (i = 0; i < THREADS; i++)
		HOLDS(!pthread_join(threads[i], NULL));
}

static void discovery(const char *path)
{
	struct fi_info *infos, *info, *hints, *copy;
	struct kf_fi fi;
	char text[512];
	char *print = malloc(1 << 16);
	int ret;

	HOLDS(print);
	HOLDS(kf_fi_load(&fi, path, text, sizeof(text)) == 0);
	hints = fi.dupinfo(NULL);
	HOLDS(hints && hints->domain_attr && hints->fabric_attr);
	hints->mode = ~0ULL;
	hints->domain_attr->mode = ~0ULL;
	hints->domain_attr->mr_mode = ~(FI_MR_BASIC | FI_MR_SCALABLE);

	ret = fi.getinfo(fi.api_version, NULL, NULL, 0, hints, &infos);
	HOLDS(ret == 0 || ret == -FI_ENODATA);
	for (info = ret ? NULL : infos; info; info = info->next) {
		HOLDS(info->fabric_attr->prov_name);
		HOLDS(fi.tostr_r(print, 1 << 16, info, FI_TYPE_INFO));
		HOLDS(strstr(print, info->fabric_attr->prov_name));
		copy = fi.dupinfo(info);
		HOLDS(copy && !strcmp(copy->fabric_attr->prov_name,
				      info->fabric_attr->prov_name));
		fi.freeinfo(copy);
	}
	if (!ret)
		fi.freeinfo(infos);
	fi.freeinfo(hints);
	HOLDS(fi.strerror(FI_ETRUNC)[0]);
	kf_fi_unload(&fi);
	free(print);
}

int main(int argc, char **argv)
{
	char *path = argc > 1 && strcmp(argv[1], "system") ? argv[1] : NULL;

	refusals();
	if (argc > 1) {
		side_by_side(path);
		discovery(path);
	}
	return 0;
}

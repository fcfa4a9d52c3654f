// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Owns: the choice of symbol versions.
 *
 * libfabric gives its calls a new symbol version whenever a struct reachable
 * from fi_info grows, keeps the old ones, and converts between them. A plain
 * dlsym takes whatever the library calls its default, which with a later
 * library means layouts that this project was never compared with. So the
 * three calls that carry fi_info are taken, as a set, from the newest version
 * that both sides know: the table below, newest first. The other calls never
 * changed after the version named at their side.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "kfabric/fi_loader.h"

#define SONAME "libfabric.so.1"
#define INSTALL "on Debian: apt install libfabric1"

#define END_OF(type, member)                                                   \
	(offsetof(type, member) + sizeof(((type *)0)->member))

/* Rounded up: the library allocates whole structs. */
#define DOMAIN_ATTR_UPTO(member)                                               \
	((END_OF(struct fi_domain_attr, member) + sizeof(void *) - 1) &        \
	 ~(sizeof(void *) - 1))

static const struct info_abi {
	uint32_t number;
	const char *version;
	size_t domain_attr_size;
} info_abis[] = {
	{ 9, "FABRIC_1.9", DOMAIN_ATTR_UPTO(max_err_cntr_value) },
	{ 8, "FABRIC_1.8", DOMAIN_ATTR_UPTO(max_group_id) },
	{ 7, "FABRIC_1.7", DOMAIN_ATTR_UPTO(max_ep_auth_key) },
	{ 3, "FABRIC_1.3", DOMAIN_ATTR_UPTO(tclass) },
};

_Static_assert(DOMAIN_ATTR_UPTO(max_err_cntr_value) ==
		       sizeof(struct fi_domain_attr),
	       "fi_domain_attr grew: info_abis needs a line");

__attribute__((format(printf, 3, 4))) static void
say(char *text, size_t textlen, const char *format, ...)
{
	va_list args;

	if (!text || !textlen)
		return;
	va_start(args, format);
	vsnprintf(text, textlen, format, args);
	va_end(args);
}

/*
 * A data pointer becomes a function pointer through memory: C has no cast for
 * it, POSIX says that the two have one representation.
 */
static int find(void *handle, const char *name, const char *version, void *slot)
{
	void *symbol = dlvsym(handle, name, version);

	_Static_assert(sizeof(symbol) == sizeof(void (*)(void)),
		       "function pointers differ from data pointers");
	memcpy(slot, &symbol, sizeof(symbol));
	return symbol ? 0 : -FI_ENOSYS;
}

static const struct info_abi *find_info_calls(struct kf_fi *fi)
{
	size_t i;

	for (i = 0; i < sizeof(info_abis) / sizeof(info_abis[0]); i++) {
		const char *version = info_abis[i].version;

		if (!find(fi->handle, "fi_getinfo", version, &fi->getinfo) &&
		    !find(fi->handle, "fi_freeinfo", version, &fi->freeinfo) &&
		    !find(fi->handle, "fi_dupinfo", version, &fi->dupinfo))
			return &info_abis[i];
	}
	return NULL;
}

static int find_calls(struct kf_fi *fi, const char *path, char *text,
		      size_t textlen)
{
	uint32_t (*version)(void);
	const struct info_abi *abi;
	struct link_map *map;
	const struct {
		const char *name;
		const char *version;
		void *slot;
	} calls[] = {
		{ "fi_version", "FABRIC_1.0", &version },
		{ "fi_fabric", "FABRIC_1.1", &fi->fabric },
		{ "fi_open", "FABRIC_1.5", &fi->open },
		{ "fi_strerror", "FABRIC_1.0", &fi->strerror },
		{ "fi_tostr_r", "FABRIC_1.4", &fi->tostr_r },
		{ "fi_getparams", "FABRIC_1.0", &fi->getparams },
		{ "fi_freeparams", "FABRIC_1.0", &fi->freeparams },
	};
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (!find(fi->handle, calls[i].name, calls[i].version,
			  calls[i].slot))
			continue;
		say(text, textlen,
		    "%s has no symbol %s@%s: not libfabric, or older than "
		    "%d.%d (%s)",
		    path, calls[i].name, calls[i].version,
		    FI_MAJOR(KF_OFI_OLDEST), FI_MINOR(KF_OFI_OLDEST), INSTALL);
		return -FI_ENOSYS;
	}

	abi = find_info_calls(fi);
	if (!abi) {
		say(text, textlen,
		    "%s has fi_getinfo in no version between %s and %s (%s)",
		    path,
		    info_abis[sizeof(info_abis) / sizeof(info_abis[0]) - 1]
			    .version,
		    info_abis[0].version, INSTALL);
		return -FI_ENOSYS;
	}
	find(fi->handle, "fi_fabric2", "FABRIC_1.8", &fi->fabric2);

	fi->path = dlinfo(fi->handle, RTLD_DI_LINKMAP, &map) ? "" : map->l_name;
	fi->abi = abi->number;
	fi->domain_attr_size = abi->domain_attr_size;
	fi->version = version();
	fi->api_version =
		fi->version < KF_OFI_NEWEST ? fi->version : KF_OFI_NEWEST;
	if (fi->version >= KF_OFI_OLDEST)
		return 0;

	say(text, textlen,
	    "%s is libfabric %u.%u, the oldest release known to work is %d.%d "
	    "(%s)",
	    path, FI_MAJOR(fi->version), FI_MINOR(fi->version),
	    FI_MAJOR(KF_OFI_OLDEST), FI_MINOR(KF_OFI_OLDEST), INSTALL);
	return -FI_ENOSYS;
}

int kf_fi_load(struct kf_fi *fi, const char *path, char *text, size_t textlen)
{
	int ret;

	say(text, textlen, "%s", "");
	if (!fi) {
		say(text, textlen, "no struct kf_fi to fill");
		return -FI_EINVAL;
	}
	memset(fi, 0, sizeof(*fi));
	if (!path)
		path = SONAME;

	/*
	 * Lazy: a provider's missing hardware library must not take the whole
	 * of libfabric away. Local: two libfabrics may be compared side by side.
	 */
	fi->handle = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
	if (!fi->handle) {
		const char *why = dlerror();

		say(text, textlen, "cannot load libfabric: %s (%s)",
		    why ? why : path, INSTALL);
		return -FI_ENOENT;
	}

	ret = find_calls(fi, path, text, textlen);
	if (ret)
		kf_fi_unload(fi);
	return ret;
}

void kf_fi_unload(struct kf_fi *fi)
{
	if (!fi)
		return;
	if (fi->handle)
		dlclose(fi->handle);
	memset(fi, 0, sizeof(*fi));
}

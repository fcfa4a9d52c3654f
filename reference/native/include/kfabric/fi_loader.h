/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reaching libfabric at run time.
 *
 * Owns: which shared library is loaded and which symbol version of each call
 * is taken, so that the layouts of kfabric/ofi_abi.h hold. Knows nothing of
 * providers, of Python, or of what the calls are used for. All state is in
 * the caller's struct kf_fi.
 */
#ifndef KFABRIC_FI_LOADER_H
#define KFABRIC_FI_LOADER_H

#include "kfabric/ofi_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The span of releases whose headers kfabric/ofi_abi.h was compared with. */
#define KF_OFI_OLDEST FI_VERSION(1, 17)
#define KF_OFI_NEWEST FI_VERSION(2, 6)

/* One loaded libfabric. Filled by kf_fi_load, read-only afterwards. */
struct kf_fi {
	void *handle;
	/* the file that was loaded, valid as long as the process */
	const char *path;

	/* what the library calls itself */
	uint32_t version;
	/* the release to ask for: `version`, but no newer than our layouts */
	uint32_t api_version;
	/* N of the symbol version FABRIC_1.N that fi_getinfo was taken from */
	uint32_t abi;
	/* bytes of a struct fi_domain_attr that comes from this library */
	size_t domain_attr_size;

	int (*getinfo)(uint32_t version, const char *node, const char *service,
		       uint64_t flags, const struct fi_info *hints,
		       struct fi_info **info);
	void (*freeinfo)(struct fi_info *info);
	/* dupinfo(NULL) makes an empty fi_info with all its attributes */
	struct fi_info *(*dupinfo)(const struct fi_info *info);
	int (*fabric)(struct fi_fabric_attr *attr, struct fid_fabric **fabric,
		      void *context);
	/* since 2.0, NULL before */
	int (*fabric2)(struct fi_info *info, struct fid_fabric **fabric,
		       uint64_t flags, void *context);
	int (*open)(uint32_t version, const char *name, void *attr,
		    size_t attr_len, uint64_t flags, struct fid **fid,
		    void *context);
	const char *(*strerror)(int errnum);
	char *(*tostr_r)(char *buf, size_t len, const void *data,
			 enum fi_type datatype);
	int (*getparams)(struct fi_param **params, int *count);
	void (*freeparams)(struct fi_param *params);
};

/*
 * Loads the library at `path`, or by its soname where `path` is NULL.
 * Returns 0, or a negative errno with a sentence in `text`: -FI_ENOENT when
 * there is nothing to load, -FI_ENOSYS when what was loaded is too old or not
 * libfabric, -FI_EINVAL when an argument is missing.
 */
int kf_fi_load(struct kf_fi *fi, const char *path, char *text, size_t textlen);

/* Gives the handle back. Providers may have left threads: the code stays. */
void kf_fi_unload(struct kf_fi *fi);

#ifdef __cplusplus
}
#endif

#endif /* KFABRIC_FI_LOADER_H */

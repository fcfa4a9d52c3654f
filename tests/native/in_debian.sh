#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Runs the native tests (or the pytest arguments given) on another Debian
# release, that is, with another libfabric, C library, compiler and Python:
#
#     tests/native/in_debian.sh trixie
#     tests/native/in_debian.sh trixie tests/native/test_abi.py -k lie
#
# What is committed is tested, in a root that is thrown away afterwards. Needs
# root and mmdebstrap; apt's and pip's own settings say where packages are.
set -eu
suite=${1:?usage: in_debian.sh SUITE [pytest arguments]}
shift
[ $# -gt 0 ] || set -- tests/native
command -v mmdebstrap >/dev/null || {
	echo "mmdebstrap is missing: on Debian, apt install mmdebstrap" >&2
	exit 2
}

tree=$(mktemp)
trap 'rm -f "$tree"' EXIT
git -C "$(dirname "$0")/../.." archive -o "$tree" --format=tar HEAD
export tree
export arguments="$*"

mmdebstrap --variant=minbase --format=null \
	--include=ca-certificates,gcc,git,libc6-dev,make,python3,python3-dev,python3-venv,libfabric-dev,libfabric-bin \
	--customize-hook='mkdir "$1/src" && tar -x -C "$1/src" -f "$tree"' \
	--customize-hook='test ! -e /etc/pip.conf || cp /etc/pip.conf "$1/etc/"' \
	--customize-hook='cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"' \
	--customize-hook='chroot "$1" sh -euc "
		cd /src
		python3 -m venv .venv
		.venv/bin/pip install --quiet -e .[test]
		fi_info --version
		.venv/bin/python -m pytest -q $arguments"' \
	"$suite" /dev/null

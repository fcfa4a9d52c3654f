# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""kfabric: the OpenFabrics object model in Python, its executable semantics, and ways to reach providers."""

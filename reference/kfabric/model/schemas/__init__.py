# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""JSON schemas of the documents of ``kfabric.model.codec``; written by tests/model/write_schemas.py."""

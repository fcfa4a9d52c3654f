# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reports: the fold of a ledger into rows, and its four forms (console, JSON, JUnit, HTML).

``build`` makes the one record; the forms only render it, so an old ``report.json`` can be rendered again.
"""

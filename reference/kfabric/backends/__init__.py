# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ways to reach a provider, one module or package each; all of them implement ``kfabric.api``."""

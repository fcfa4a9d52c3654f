# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Cannot be imported."""

import nothing_of_that_name  # type: ignore[import-not-found]  # noqa: F401

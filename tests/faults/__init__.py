# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The faults that are planted: their catalogue, and the machinery that plants them."""

# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Nodes: the processes in which providers are opened, and what is known of one that died."""

from .node import Call, Mailbox, Node, NodeDied, NodeSpec, RemoteFailure

__all__ = ["Call", "Mailbox", "Node", "NodeDied", "NodeSpec", "RemoteFailure"]

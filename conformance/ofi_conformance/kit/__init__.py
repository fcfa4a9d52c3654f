# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the body of an API-shape case gets: endpoints, buffers, waiting and deciding, inside one node process.

``Kit`` (kit.py) is the whole of it; ``sheet`` records what is decided, ``sides`` opens endpoints and connects them,
``memory`` holds guarded buffers and registrations. Everything opened through a kit is closed by it. Nothing here knows
a provider's name.
"""

from .body import Kit
from .common import bare, bind_address, counters, message, outlasts, post_receive, post_send, unless_refused
from .connecting import Knock, accept, connected, event_or_none, knock, waiting_event
from .memory import Guarded, Region
from .sheet import Bound, CheckFailed
from .sides import Listener, Pair, Side

__all__ = [
    "Bound",
    "CheckFailed",
    "Guarded",
    "Kit",
    "Knock",
    "Listener",
    "Pair",
    "Region",
    "Side",
    "accept",
    "bare",
    "bind_address",
    "connected",
    "counters",
    "event_or_none",
    "knock",
    "message",
    "outlasts",
    "post_receive",
    "post_send",
    "unless_refused",
    "waiting_event",
]

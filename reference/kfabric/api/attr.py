# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Attribute records: what an application asks for and what a provider answers.

Plain data with the C field names; no behaviour. As hints, a zero or empty field means "no demand".
As an answer from ``getinfo``, every field says what an object opened with it provides.
``Info.raw`` ties an answer to the backend record it came from, so that opening it unchanged opens exactly that record.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .constants import (
    AddrFormat,
    AvType,
    CqFormat,
    EpType,
    Flag,
    Mode,
    MrMode,
    Order,
    Progress,
    ResourceMgmt,
    Threading,
    WaitObj,
)


@dataclass
class TxAttr:
    """Transmit context attributes. Sizes in bytes, ``size`` in operations, limits in iov entries."""

    caps: Flag = Flag.NONE
    mode: Mode = Mode.NONE
    op_flags: Flag = Flag.NONE
    msg_order: Order = Order.NONE
    comp_order: Order = Order.NONE
    inject_size: int = 0
    size: int = 0
    iov_limit: int = 0
    rma_iov_limit: int = 0
    tclass: int = 0


@dataclass
class RxAttr:
    """Receive context attributes. ``total_buffered_recv`` in bytes, ``size`` in operations."""

    caps: Flag = Flag.NONE
    mode: Mode = Mode.NONE
    op_flags: Flag = Flag.NONE
    msg_order: Order = Order.NONE
    comp_order: Order = Order.NONE
    total_buffered_recv: int = 0
    size: int = 0
    iov_limit: int = 0


@dataclass
class EpAttr:
    """Endpoint attributes. All sizes in bytes."""

    type: EpType = EpType.UNSPEC
    protocol: int = 0
    protocol_version: int = 0
    max_msg_size: int = 0
    msg_prefix_size: int = 0
    max_order_raw_size: int = 0
    max_order_war_size: int = 0
    max_order_waw_size: int = 0
    mem_tag_format: int = 0
    tx_ctx_cnt: int = 0
    rx_ctx_cnt: int = 0
    auth_key: bytes = b""


@dataclass
class DomainAttr:
    """Domain attributes. Key, data and error sizes in bytes; counts in objects."""

    name: str = ""
    threading: Threading = Threading.UNSPEC
    control_progress: Progress = Progress.UNSPEC
    data_progress: Progress = Progress.UNSPEC
    resource_mgmt: ResourceMgmt = ResourceMgmt.UNSPEC
    av_type: AvType = AvType.UNSPEC
    mr_mode: MrMode = MrMode.NONE
    mr_key_size: int = 0
    cq_data_size: int = 0
    cq_cnt: int = 0
    ep_cnt: int = 0
    tx_ctx_cnt: int = 0
    rx_ctx_cnt: int = 0
    max_ep_tx_ctx: int = 0
    max_ep_rx_ctx: int = 0
    max_ep_stx_ctx: int = 0
    max_ep_srx_ctx: int = 0
    cntr_cnt: int = 0
    mr_iov_limit: int = 0
    caps: Flag = Flag.NONE
    mode: Mode = Mode.NONE
    auth_key: bytes = b""
    max_err_data: int = 0
    mr_cnt: int = 0
    tclass: int = 0
    max_ep_auth_key: int = 0
    max_group_id: int = 0
    max_cntr_value: int = 0
    max_err_cntr_value: int = 0
    domain: int = field(default=0, compare=False)
    """``fid`` of an open domain: as a hint, the one to use; as an answer, one that is open already."""


@dataclass
class FabricAttr:
    """Fabric attributes. Versions are ``(major, minor)``; libfabric's own providers have ``major`` 100 * 1 + minor."""

    name: str = ""
    prov_name: str = ""
    prov_version: tuple[int, int] = (0, 0)
    api_version: tuple[int, int] = (0, 0)
    fabric: int = field(default=0, compare=False)
    """``fid`` of an open fabric, as ``DomainAttr.domain``."""


@dataclass(frozen=True)
class NicAttr:
    """The network device behind an offer; empty where the provider says nothing. ``speed`` in bits per second."""

    name: str = ""
    device_id: str = ""
    device_version: str = ""
    vendor_id: str = ""
    driver: str = ""
    firmware: str = ""
    pci: tuple[int, int, int, int] | None = None
    """PCI domain, bus, device and function, where the device sits on such a bus."""
    address: str = ""
    mtu: int = 0
    speed: int = 0
    link_state: int = 0
    network_type: str = ""


@dataclass
class Info:
    """One way to use a provider (``fi_info``): as hints, a demand; as an answer, an offer."""

    caps: Flag = Flag.NONE
    mode: Mode = Mode.NONE
    addr_format: AddrFormat | int = AddrFormat.UNSPEC
    src_addr: bytes = b""
    dest_addr: bytes = b""
    tx_attr: TxAttr = field(default_factory=TxAttr)
    rx_attr: RxAttr = field(default_factory=RxAttr)
    ep_attr: EpAttr = field(default_factory=EpAttr)
    domain_attr: DomainAttr = field(default_factory=DomainAttr)
    fabric_attr: FabricAttr = field(default_factory=FabricAttr)
    handle: int = field(default=0, compare=False)
    """``fid`` of a passive endpoint or of a connection request that an endpoint opened with this is made from."""
    nic: NicAttr | None = field(default=None, compare=False)
    """The device, where the provider describes it; ignored in hints."""
    raw: object | None = field(default=None, repr=False, compare=False)
    """The backend's own record, kept alive by this; absent in hints. Opening an unchanged answer opens that record;
    fields that were changed since are applied to a copy of it. It does not travel to other processes."""


@dataclass
class CqAttr:
    """Completion queue attributes; ``size`` in entries (0: the provider's choice)."""

    size: int = 0
    format: CqFormat = CqFormat.TAGGED
    wait_obj: WaitObj = WaitObj.NONE
    flags: Flag = Flag.NONE
    signaling_vector: int = 0
    wait_cond_threshold: bool = False


@dataclass
class EqAttr:
    """Event queue attributes; ``size`` in events. ``Flag.WRITE`` allows the application to write events."""

    size: int = 0
    wait_obj: WaitObj = WaitObj.NONE
    flags: Flag = Flag.NONE
    signaling_vector: int = 0


@dataclass
class CntrAttr:
    """Counter attributes (event kind is always completions)."""

    wait_obj: WaitObj = WaitObj.NONE
    flags: Flag = Flag.NONE


@dataclass
class AvAttr:
    """Address vector attributes; ``count`` in addresses."""

    type: AvType = AvType.UNSPEC
    rx_ctx_bits: int = 0
    count: int = 0
    ep_per_node: int = 0
    name: str = ""
    flags: Flag = Flag.NONE


@dataclass(frozen=True)
class AtomicAttr:
    """What a valid/query call answers: elements per operation, bytes per element."""

    count: int
    size: int

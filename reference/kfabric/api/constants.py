# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every flag, enumeration and limit of the object model, with the values both spellings share.

Owns: names and numbers. Names are the C names without their ``FI_`` prefix. Must not know any backend.
One 64-bit flag space serves capabilities, operation flags, bind flags and completion flags, as in the C API;
a few bits mean different things in different places, so those live in their own enumerations.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

ADDR_UNSPEC = (1 << 64) - 1
ADDR_NOTAVAIL = (1 << 64) - 1
KEY_NOTAVAIL = (1 << 64) - 1
SHARED_CONTEXT = (1 << 64) - 1
UNLIMITED = (1 << 64) - 1
"""Value of a ``max_order_*_size`` attribute that puts no bound on the size."""


class Flag(IntFlag):
    """Capabilities, operation flags, bind flags, access rights and completion flags (one bit space)."""

    NONE = 0
    MSG = 1 << 1
    RMA = 1 << 2
    TAGGED = 1 << 3
    ATOMIC = 1 << 4
    MULTICAST = 1 << 5
    COLLECTIVE = 1 << 6
    READ = 1 << 8
    WRITE = 1 << 9
    RECV = 1 << 10
    SEND = 1 << 11
    TRANSMIT = 1 << 11
    REMOTE_READ = 1 << 12
    REMOTE_WRITE = 1 << 13
    MULTI_RECV = 1 << 16
    REMOTE_CQ_DATA = 1 << 17
    MORE = 1 << 18
    PEEK = 1 << 19
    TRIGGER = 1 << 20
    FENCE = 1 << 21
    PRIORITY = 1 << 22
    COMPLETION = 1 << 24
    EVENT = 1 << 24
    INJECT = 1 << 25
    INJECT_COMPLETE = 1 << 26
    TRANSMIT_COMPLETE = 1 << 27
    DELIVERY_COMPLETE = 1 << 28
    AFFINITY = 1 << 29
    COMMIT_COMPLETE = 1 << 30
    MATCH_COMPLETE = 1 << 31
    RESCAN = 1 << 35
    PEER_TRANSFER = 1 << 36
    AV_USER_ID = 1 << 41
    FIREWALL_ADDR = 1 << 42
    PEER = 1 << 43
    XPU_TRIGGER = 1 << 44
    TAGGED_DIRECTED_RECV = 1 << 45
    TAGGED_MULTI_RECV = 1 << 46
    HMEM = 1 << 47
    VARIABLE_MSG = 1 << 48
    RMA_PMEM = 1 << 49
    SOURCE_ERR = 1 << 50
    LOCAL_COMM = 1 << 51
    REMOTE_COMM = 1 << 52
    SHARED_AV = 1 << 53
    PROV_ATTR_ONLY = 1 << 54
    NUMERICHOST = 1 << 55
    RMA_EVENT = 1 << 56
    SOURCE = 1 << 57
    NAMED_RX_CTX = 1 << 58
    DIRECTED_RECV = 1 << 59


class OpFlag(IntFlag):
    """Flags of one call whose bits mean something else among the capabilities.

    Receives: CLAIM, DISCARD. Binding: SELECTIVE_COMPLETION, REG_MR. Address vectors: SYNC_ERR, SYMMETRIC, UNIVERSE.
    Atomics: FETCH_ATOMIC, COMPARE_ATOMIC. Registration: MR_DMABUF, MR_SINGLE_USE, HMEM_HOST_ALLOC, HMEM_DEVICE_ONLY.
    """

    CLAIM = 1 << 59
    DISCARD = 1 << 58
    SELECTIVE_COMPLETION = 1 << 59
    REG_MR = 1 << 59
    SYNC_ERR = 1 << 58
    SYMMETRIC = 1 << 59
    UNIVERSE = 1 << 57
    FETCH_ATOMIC = 1 << 58
    COMPARE_ATOMIC = 1 << 59
    MR_DMABUF = 1 << 40
    MR_SINGLE_USE = 1 << 41
    HMEM_HOST_ALLOC = 1 << 45
    HMEM_DEVICE_ONLY = 1 << 46


class Mode(IntFlag):
    """Obligations an application accepts (``hints.mode``) or must meet (returned ``mode``)."""

    NONE = 0
    PEER_TRANSFER = 1 << 36
    BUFFERED_RECV = 1 << 51
    CONTEXT2 = 1 << 52
    RESTRICTED_COMP = 1 << 53
    NOTIFY_FLAGS_ONLY = 1 << 54
    LOCAL_MR = 1 << 55
    RX_CQ_DATA = 1 << 56
    ASYNC_IOV = 1 << 57
    MSG_PREFIX = 1 << 58
    CONTEXT = 1 << 59


class MrMode(IntFlag):
    """Memory registration modes (``domain_attr.mr_mode``)."""

    NONE = 0
    BASIC = 1 << 0
    SCALABLE = 1 << 1
    LOCAL = 1 << 2
    RAW = 1 << 3
    VIRT_ADDR = 1 << 4
    ALLOCATED = 1 << 5
    PROV_KEY = 1 << 6
    MMU_NOTIFY = 1 << 7
    RMA_EVENT = 1 << 8
    ENDPOINT = 1 << 9
    HMEM = 1 << 10
    COLLECTIVE = 1 << 11


class Order(IntFlag):
    """Message order: bit XAY says that X posted after Y is processed after Y."""

    NONE = 0
    RAR = 1 << 0
    RAW = 1 << 1
    RAS = 1 << 2
    WAR = 1 << 3
    WAW = 1 << 4
    WAS = 1 << 5
    SAR = 1 << 6
    SAW = 1 << 7
    SAS = 1 << 8
    STRICT = 0x1FF
    DATA = 1 << 16
    RMA_RAR = 1 << 32
    RMA_RAW = 1 << 33
    RMA_WAR = 1 << 34
    RMA_WAW = 1 << 35
    ATOMIC_RAR = 1 << 36
    ATOMIC_RAW = 1 << 37
    ATOMIC_WAR = 1 << 38
    ATOMIC_WAW = 1 << 39


class EpType(IntEnum):
    """Kinds of endpoints: connected, unreliable datagrams, reliable datagrams."""

    UNSPEC = 0
    MSG = 1
    DGRAM = 2
    RDM = 3


class AvType(IntEnum):
    """How an address vector names its addresses (``MAP`` is deprecated since 2.0)."""

    UNSPEC = 0
    MAP = 1
    TABLE = 2


class Progress(IntEnum):
    """Who drives operations forward."""

    UNSPEC = 0
    AUTO = 1
    MANUAL = 2
    CONTROL_UNIFIED = 3


class Threading(IntEnum):
    """What the application serialises."""

    UNSPEC = 0
    SAFE = 1
    FID = 2
    DOMAIN = 3
    COMPLETION = 4
    ENDPOINT = 5


class ResourceMgmt(IntEnum):
    """Whether the provider keeps queues from overrunning."""

    UNSPEC = 0
    DISABLED = 1
    ENABLED = 2


class CqFormat(IntEnum):
    """Layout of completion entries; each contains the one before."""

    UNSPEC = 0
    CONTEXT = 1
    MSG = 2
    DATA = 3
    TAGGED = 4


class WaitObj(IntEnum):
    """What a queue or counter can be waited on with."""

    NONE = 0
    UNSPEC = 1
    SET = 2
    FD = 3
    MUTEX_COND = 4
    YIELD = 5
    POLLFD = 6


class EqEventKind(IntEnum):
    """Events that queues report."""

    NOTIFY = 0
    CONNREQ = 1
    CONNECTED = 2
    SHUTDOWN = 3
    MR_COMPLETE = 4
    AV_COMPLETE = 5
    JOIN_COMPLETE = 6


class AddrFormat(IntEnum):
    """Layout of raw addresses."""

    UNSPEC = 0
    SOCKADDR = 1
    SOCKADDR_IN = 2
    SOCKADDR_IN6 = 3
    SOCKADDR_IB = 4
    PSMX = 5
    GNI = 6
    BGQ = 7
    MLX = 8
    STR = 9
    PSMX2 = 10
    IB_UD = 11
    EFA = 12
    PSMX3 = 13
    OPX = 14
    CXI = 15
    UCX = 16
    SOCKADDR_IP = 17


class Protocol(IntEnum):
    """Wire protocols (``ep_attr.protocol``); providers of one protocol are meant to interoperate."""

    UNSPEC = 0
    RDMA_CM_IB_RC = 1
    IWARP = 2
    IB_UD = 3
    PSMX = 4
    UDP = 5
    SOCK_TCP = 6
    MXM = 7
    IWARP_RDM = 8
    IB_RDM = 9
    GNI = 10
    RXM = 11
    RXD = 12
    MLX = 13
    NETWORKDIRECT = 14
    PSMX2 = 15
    SHM = 16
    MRAIL = 17
    RSTREAM = 18
    RDMA_CM_IB_XRC = 19
    EFA = 20
    PSMX3 = 21
    RXM_TCP = 22
    OPX = 23
    CXI = 24
    XNET = 25
    COLL = 26
    UCX = 27
    SM2 = 28
    CXI_RNR = 29
    LPP = 30
    LNX = 31


class TrafficClass(IntEnum):
    """Values of ``tclass``; a DSCP value is ``DSCP | value``."""

    UNSPEC = 0
    DSCP = 0x100
    BEST_EFFORT = 0x200
    LOW_LATENCY = 0x201
    DEDICATED_ACCESS = 0x202
    BULK_DATA = 0x203
    SCAVENGER = 0x204
    NETWORK_CTRL = 0x205


class Datatype(IntEnum):
    """Element types of atomics."""

    INT8 = 0
    UINT8 = 1
    INT16 = 2
    UINT16 = 3
    INT32 = 4
    UINT32 = 5
    INT64 = 6
    UINT64 = 7
    FLOAT = 8
    DOUBLE = 9
    FLOAT_COMPLEX = 10
    DOUBLE_COMPLEX = 11
    LONG_DOUBLE = 12
    LONG_DOUBLE_COMPLEX = 13
    INT128 = 14
    UINT128 = 15
    FLOAT16 = 16
    BFLOAT16 = 17
    FLOAT8_E4M3 = 18
    FLOAT8_E5M2 = 19


class AtomicOp(IntEnum):
    """What an atomic does to each remote element."""

    MIN = 0
    MAX = 1
    SUM = 2
    PROD = 3
    LOR = 4
    LAND = 5
    BOR = 6
    BAND = 7
    LXOR = 8
    BXOR = 9
    ATOMIC_READ = 10
    ATOMIC_WRITE = 11
    CSWAP = 12
    CSWAP_NE = 13
    CSWAP_LE = 14
    CSWAP_LT = 15
    CSWAP_GE = 16
    CSWAP_GT = 17
    MSWAP = 18
    DIFF = 19


class EpOption(IntEnum):
    """Names for ``getopt``/``setopt`` at the endpoint level."""

    MIN_MULTI_RECV = 0
    CM_DATA_SIZE = 1
    BUFFERED_MIN = 2
    BUFFERED_LIMIT = 3
    SEND_BUF_SIZE = 4
    RECV_BUF_SIZE = 5
    TX_SIZE = 6
    RX_SIZE = 7
    HMEM_P2P = 8
    XPU_TRIGGER = 9
    CUDA_API_PERMITTED = 10
    SHARED_MEMORY_PERMITTED = 11
    MAX_MSG_SIZE = 12
    MAX_TAGGED_SIZE = 13
    MAX_RMA_SIZE = 14
    MAX_ATOMIC_SIZE = 15
    INJECT_MSG_SIZE = 16
    INJECT_TAGGED_SIZE = 17
    INJECT_RMA_SIZE = 18
    INJECT_ATOMIC_SIZE = 19
    FIREWALL_ADDR = 20


class ControlCommand(IntEnum):
    """Commands for ``control`` that the object model itself names."""

    GETFIDFLAG = 0
    SETFIDFLAG = 1
    GETOPSFLAG = 2
    SETOPSFLAG = 3
    ALIAS = 4
    GETWAIT = 5
    ENABLE = 6
    BACKLOG = 7
    GET_RAW_MR = 8
    MAP_RAW_MR = 9
    UNMAP_KEY = 10
    QUEUE_WORK = 11
    CANCEL_WORK = 12
    FLUSH_WORK = 13
    REFRESH = 14
    DUP = 15
    GETWAITOBJ = 16
    GET_VAL = 17
    SET_VAL = 18
    EXPORT_FID = 19
    GET_FD = 20


class Errno(IntEnum):
    """Error codes: positive here, negative in a C return, positive in a completion's ``err`` field."""

    SUCCESS = 0
    EPERM = 1
    ENOENT = 2
    EINTR = 4
    EIO = 5
    E2BIG = 7
    EBADF = 9
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    ENODEV = 19
    EINVAL = 22
    EMFILE = 24
    ENOSPC = 28
    EPIPE = 32
    ENOSYS = 38
    ENOMSG = 42
    ENODATA = 61
    EPROTO = 71
    EOVERFLOW = 75
    EMSGSIZE = 90
    ENOPROTOOPT = 92
    EOPNOTSUPP = 95
    EADDRINUSE = 98
    EADDRNOTAVAIL = 99
    ENETDOWN = 100
    ENETUNREACH = 101
    ECONNABORTED = 103
    ECONNRESET = 104
    ENOBUFS = 105
    EISCONN = 106
    ENOTCONN = 107
    ESHUTDOWN = 108
    ETIMEDOUT = 110
    ECONNREFUSED = 111
    EHOSTDOWN = 112
    EHOSTUNREACH = 113
    EALREADY = 114
    EINPROGRESS = 115
    EREMOTEIO = 121
    ECANCELED = 125
    EKEYREJECTED = 129
    EOTHER = 256
    ETOOSMALL = 257
    EOPBADSTATE = 258
    EAVAIL = 259
    EBADFLAGS = 260
    ENOEQ = 261
    EDOMAIN = 262
    ENOCQ = 263
    ECRC = 264
    ETRUNC = 265
    ENOKEY = 266
    ENOAV = 267
    EOVERRUN = 268
    ENORX = 269
    ENOMR = 270
    EFIREWALLADDR = 271

"""The standard library: denied by default, because nobody knows every function in it that runs text or opens a file.

``MODULES`` are the top-level modules of CPython 3.11 to 3.14 (their ``sys.stdlib_module_names``). ``OPENED`` is what
models are really made of and what cannot hurt whatever it is called with; it is not allowed by that, but somebody may
trust it. Everything else stays closed, also to the names that a trusted package has imported.
"""

from __future__ import annotations

from typing import Final

MODULES: Final = frozenset(
    """
    __future__ _abc _aix_support _android_support _apple_support _ast _ast_unparse _asyncio _bisect _blake2
    _bootsubprocess _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw
    _collections _collections_abc _colorize _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses
    _curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external _functools
    _gdbm _hashlib _heapq _hmac _imp _interpchannels _interpqueues _interpreters _io _ios_support _json _locale
    _lsprof _lzma _markupbase _md5 _msi _multibytecodec _multiprocessing _opcode _opcode_metadata _operator
    _osx_support _overlapped _pickle _posixshmem _posixsubprocess _py_abc _py_warnings _pydatetime _pydecimal
    _pyio _pylong _pyrepl _queue _random _remote_debugging _scproxy _sha1 _sha2 _sha256 _sha3 _sha512 _signal
    _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string _strptime _struct _suggestions _symtable
    _sysconfig _thread _threading_local _tkinter _tokenize _tracemalloc _types _typing _uuid _warnings _weakref
    _weakrefset _winapi _wmi _xxinterpchannels _xxsubinterpreters _zoneinfo _zstd abc aifc annotationlib
    antigravity argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins
    bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall
    compression concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses
    datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl
    filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob graphlib grp
    gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json
    keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib
    msvcrt multiprocessing netrc nis nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev
    pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats
    pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib resource
    rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket
    socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string stringprep struct
    subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test textwrap this
    threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types
    typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref
    xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo
    """.split()
)

OPENED_MODULES: Final = frozenset("_operator builtins cmath itertools math operator".split())
"""Modules of pure functions. What is dangerous in them is on the deny list name by name."""

OPENED: Final = """
_collections: OrderedDict deque
_io: BytesIO StringIO
_pydatetime: date datetime time timedelta timezone
argparse: Namespace
base64: b64decode b64encode
collections.abc: Callable Collection Hashable Iterable Iterator Mapping MutableMapping Sequence Set Sized
copyreg: __newobj_ex__
decimal: Clamped Context DivisionByZero FloatOperation Inexact InvalidOperation Overflow Rounded Subnormal Underflow
enum: Enum Flag IntEnum IntFlag StrEnum
functools: partial
html: escape unescape
io: BytesIO StringIO
ipaddress: IPv4Address IPv4Interface IPv4Network IPv6Address IPv6Interface IPv6Network
json: dumps loads
logging: LoggerAdapter getLogger
pathlib._local: Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath
random: SystemRandom
statistics: NormalDist fmean mean median pstdev stdev
string: Template capwords
time: struct_time
types: GenericAlias UnionType
typing: Any Callable Dict List Optional Set Tuple Type Union
unicodedata: normalize
zoneinfo: ZoneInfo
"""

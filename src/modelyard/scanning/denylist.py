"""Globals that no trust, no setting and no origin opens: each gives whoever calls it the process or the disk.

The allowlist is what protects; this list only names the worst, so that the verdict can say ``unsafe`` instead of
``unknown`` and so that a careless ``trust=["*"]`` stays harmless. It is data: modules with everything below them, and
single names of modules that are otherwise fine.
"""

from __future__ import annotations

from typing import Final

MODULES: Final = frozenset(
    """
    IPython _aix_support _asyncio _bootlocale _ctypes _frozen_importlib _frozen_importlib_external _imp
    _interpreters _multiprocessing _osx_support _pickle _posixshmem _posixsubprocess _pyio _pyrepl
    _sitebuiltins _socket _sqlite3 _ssl _testcapi _testinternalcapi _thread _winapi aiohttp antigravity
    asynchat asyncio asyncore atexit bdb boto3 botocore bz2.open cProfile cffi cgi cgitb cloudpickle cmd
    code codeop commands compileall concurrent ctypes dbm dill distributed distutils doctest ensurepip
    faulthandler fcntl fileinput fsspec ftplib gc getpass glob http httpx idlelib imaplib imp importlib
    ipykernel jinja2 joblib.externals joblib.memory joblib.parallel joblib.test joblib.testing
    jsonpickle lib2to3 linecache lldb logging.config logging.handlers lzma.open mailbox mailcap marshal
    mmap modelyard msilib msvcrt multiprocessing netrc nntplib nt ntpath nturl2path numpy._pytesttester
    numpy.ctypeslib numpy.distutils numpy.f2py numpy.lib._datasource numpy.lib._npyio_impl
    numpy.lib.format numpy.lib.npyio numpy.testing numpy.tests os pandas.compat pandas.core.computation
    pandas.io pandas.testing pandas.tests pandas.util paramiko pdb pexpect pickle pickletools pip pipes
    pkg_resources pkgutil platform poplib posix posixpath posixshmem profile pstats pty py_compile
    pyclbr pydoc pydoc_data requests resource rlcompleter runpy sched scipy._lib._test_ccallback
    scipy.conftest scipy.datasets scipy.io scipy.misc scipy.weave select selectors setuptools shelve
    shutil signal site sklearn.conftest sklearn.datasets sklearn.externals sklearn.utils._show_versions
    sklearn.utils._testing skops smtpd smtplib socket socketserver sqlite3 ssl subprocess symtable sys
    sysconfig syslog tarfile telnetlib tempfile test threading timeit tkinter tokenize torch._inductor
    torch.distributed torch.hub torch.jit torch.multiprocessing torch.package torch.serialization
    torch.utils.cpp_extension trace tracemalloc turtledemo unittest urllib urllib3 venv virtualenv
    webbrowser wheel winreg wsgiref xmlrpc zipapp zipfile zipimport
    """.split()
)
"""A module named here is denied with everything below it; so is a single name written with its module."""

NAMES: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "__build_class__ __import__ apply breakpoint compile delattr eval exec execfile exit getattr "
        "globals help input locals open print quit raw_input reload setattr vars",
        "operator": "attrgetter call delitem methodcaller setitem",
        "_operator": "attrgetter call delitem methodcaller setitem",
        "functools": "reduce",
        "_functools": "reduce",
        "io": "BufferedRandom BufferedReader BufferedWriter FileIO TextIOWrapper open open_code",
        "_io": "BufferedRandom BufferedReader BufferedWriter FileIO TextIOWrapper open open_code",
        "_pyio": "FileIO open open_code",
        "types": "BuiltinFunctionType BuiltinMethodType CellType CodeType FrameType FunctionType LambdaType "
        "MethodType ModuleType TracebackType coroutine new_class prepare_class",
        "copyreg": "add_extension clear_extension_cache constructor pickle remove_extension",
        "codecs": "EncodedFile StreamReader StreamWriter lookup open register",
        "_codecs": "lookup register",
        "logging": "FileHandler basicConfig shutdown",
        "gzip": "GzipFile open",
        "bz2": "BZ2File open",
        "lzma": "LZMAFile open",
        "pathlib.Path": "chmod open rename replace rmdir symlink_to touch unlink write_bytes write_text",
        "pathlib.PosixPath": "chmod open rename replace rmdir symlink_to touch unlink write_bytes write_text",
        "numpy": "DataSource fromfile fromregex genfromtxt load loadtxt memmap save savetxt savez savez_compressed",
        "numpy.core": "memmap memmap.memmap multiarray.fromfile records.fromfile _multiarray_umath.fromfile",
        "numpy._core": "memmap memmap.memmap multiarray.fromfile records.fromfile _multiarray_umath.fromfile",
        "joblib": "Memory MemorizedResult Parallel delayed dump load wrap_non_picklable_objects",
        "joblib.numpy_pickle": "NDArrayWrapper ZNDArrayWrapper dump load load_temporary_memmap",
        "joblib.numpy_pickle_compat": "NDArrayWrapper ZNDArrayWrapper load_compatibility",
        "joblib._memmapping_reducer": "reduce_array_memmap_backward",
        "pandas": "ExcelFile ExcelWriter HDFStore eval read_clipboard read_csv read_excel read_feather read_fwf "
        "read_gbq read_hdf read_html read_json read_orc read_parquet read_pickle read_sas read_spss read_sql "
        "read_sql_query read_sql_table read_stata read_table read_xml to_pickle",
        "torch": "compile load save",
        "sklearn.utils": "parallel_backend register_parallel_backend",
        "yaml": "full_load full_load_all load load_all unsafe_load unsafe_load_all",
    }.items()
    for name in names.split()
)
"""Single names. joblib's two old array wrappers are here because they open neighbouring files and unpickle them."""

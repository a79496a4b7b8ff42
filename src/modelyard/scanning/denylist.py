"""Globals that no trust, no setting and no origin opens: each gives whoever calls it the process or the disk.

The allowlist is what protects; the lists here name the worst, so that the verdict can say ``unsafe`` instead of
``unknown``, and so that a careless pattern stays harmless. The standard library is denied by default (``standard``).
Of other packages these are modules with everything below them, and single names of modules that are otherwise fine:
among them everything that our own dependencies and tools bring. What lies in between are libraries too big to know:
a pattern never reaches into them, they are trusted name by name.
"""

from __future__ import annotations

from typing import Final

MODULES: Final = frozenset(
    """
    IPython _aix_support _asyncio _bootlocale _ctypes _distutils_hack _frozen_importlib
    _frozen_importlib_external _hypothesis_ftz_detector _hypothesis_globals _hypothesis_pytestplugin _imp
    _interpreters _multiprocessing _osx_support _pickle _posixshmem _posixsubprocess _pyio _pyrepl _pytest
    _sitebuiltins _socket _sqlite3 _ssl _testcapi _testinternalcapi _thread _winapi _yaml a1_coverage
    aiohttp alembic antigravity ast_serialize asynchat asyncio asyncore atexit attr._compat attr._make bdb
    boto3 botocore build bz2.open cProfile cffi cgi cgitb click cloudpickle clr cmd code codeop commands
    compileall concurrent coverage cppyy ctypes dateutil.zoneinfo dbm dill distributed distutils doctest
    editables ensurepip execnet fabric fastapi faulthandler fcntl fileinput flask fsspec ftplib gc getpass
    glob greenlet grimp gunicorn hatchling http httpx hypothesis idlelib imaplib imp importlib
    importlinter invoke ipykernel jinja2 joblib._cloudpickle_wrapper joblib._dask
    joblib._memmapping_reducer joblib._parallel_backends joblib._store_backends joblib._utils
    joblib.backports joblib.compressor joblib.disk joblib.executor joblib.externals joblib.func_inspect
    joblib.hashing joblib.logger joblib.memory joblib.parallel joblib.pool joblib.test joblib.testing
    jsonpickle lib2to3 librt linecache lldb logging.config logging.handlers lz4 lzma.open mailbox mailcap
    mako markdown_it markupsafe marshal mdurl mmap modelyard msilib msvcrt multiprocessing mypy mypyc
    narwhals netrc nntplib nt ntpath nturl2path numexpr numpy._pytesttester numpy._typing numpy.ctypeslib
    numpy.distutils numpy.f2py numpy.lib._datasource numpy.lib._npyio_impl numpy.lib._utils_impl
    numpy.lib.format numpy.lib.introspect numpy.lib.npyio numpy.lib.utils numpy.testing numpy.tests
    numpy.typing os packaging pandas._config pandas._testing pandas._version pandas.compat
    pandas.core.computation pandas.core.config_init pandas.io pandas.plotting pandas.testing pandas.tests
    pandas.util paramiko pathspec pdb pexpect pickle pickletools pip pipes piptools pkg_resources pkgutil
    platform pluggy plumbum poplib posix posixpath posixshmem prettytable profile pstats psutil pty
    ptyprocess py py_compile pyclbr pydantic.v1 pydoc pydoc_data pygments pyproject_hooks pysqlite3 pytest
    pytest_cov pythonnet requests resource rfc8785 rich rlcompleter ruff runpy sched scipy._build_utils
    scipy._lib._ccallback scipy._lib._docscrape scipy._lib._test_ccallback scipy._lib._testutils
    scipy._lib.deprecation scipy._lib.doccer scipy.conftest scipy.datasets scipy.io scipy.misc scipy.weave
    select selectors semver setuptools shelve shutil signal site six sklearn._build_utils
    sklearn._min_dependencies sklearn.callback sklearn.conftest sklearn.datasets sklearn.externals
    sklearn.utils._joblib sklearn.utils._mocking sklearn.utils._plotting sklearn.utils._show_versions
    sklearn.utils._test_common sklearn.utils._testing sklearn.utils.discovery
    sklearn.utils.estimator_checks sklearn.utils.parallel skops smtpd smtplib socket socketserver
    sqlalchemy sqlite3 ssl starlette subprocess symtable sys sysconfig syslog tarfile telnetlib tempfile
    test threading threadpoolctl timeit tkinter tokenize tomlkit torch._classes torch._dynamo
    torch._inductor torch._ops torch.classes torch.distributed torch.fx torch.hub torch.jit
    torch.multiprocessing torch.ops torch.package torch.serialization torch.testing torch.utils.bottleneck
    torch.utils.collect_env torch.utils.cpp_extension torch.utils.model_dump torch.utils.tensorboard trace
    tracemalloc trove_classifiers turtledemo typing_extensions unittest urllib urllib3 uvicorn venv
    virtualenv watchdog wcwidth webbrowser werkzeug wheel winreg wsgiref xdist xmlrpc yaml zipapp zipfile
    zipimport zmq
    """.split()
)
"""A module named here is denied with everything below it; so is a single name written with its module."""

NAMES: Final = frozenset(
    f"{module}.{name}"
    for module, names in {
        "builtins": "__build_class__ __import__ apply breakpoint compile delattr eval exec execfile exit getattr "
        "globals help input license copyright credits locals open print quit raw_input reload setattr vars "
        "str.format str.format_map",
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
        "numpy.ndarray": "dump dumps tofile",
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

NAME_BY_NAME: Final = frozenset(
    """
    catboost cupy dask django docker fsspec gradio jax jaxlib joblib keras lightgbm lightning llvmlite matplotlib
    mlflow numba numpy onnx onnxruntime pandas plotly polars pyarrow pydantic pydantic_core pyspark
    pytorch_lightning ray safetensors scipy skl2onnx sklearn skops spacy statsmodels tensorflow tokenizers torch
    torchvision tornado transformers triton wandb xgboost
    """.split()
)
"""Packages of which ``package.*`` opens nothing: somewhere in them a function evaluates text or opens a file."""

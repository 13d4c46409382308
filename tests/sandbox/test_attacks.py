"""The 46 attacks of the reliability study, each against every tier that this machine offers.

A program "gets through" where it passes; those that look for something pass only if they find it.
"""

import os
from pathlib import Path

from deimos.sandbox import Exam

FOUND = "def add(a, b):\n    return a + b if found() else -1\n"
"""Right only where ``found`` is true."""
FALSE = ("wrong", "error", "timeout", "memory", "output")
CTYPES = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"
def call(x86, arm, *args):
    return libc.syscall(x86 if X86 else arm, *args) >= 0
"""


def seeks(body, head="import os, sys"):
    """A program that is right only if its search comes back true."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    return f"{head}\ndef found():\n    try:\n{lines}\n    except BaseException:\n        return False\n{FOUND}"


def both(expression):
    """The same deed when loaded and when called."""
    return (
        f"import os, sys\n{expression}\ndef add(a, b):\n    return 0",
        f"import os, sys\ndef add(a, b):\n    {expression}\n    return 0",
    )


def test_attack_01_exit(attack):
    thread = "import sys, threading\ndef add(a, b):\n    t = threading.Thread(target=sys.exit)\n    t.start(); t.join()"
    attack(*both("sys.exit(0)"), *both("raise SystemExit(0)"), *both("exit()"), thread, kinds=FALSE)


def test_attack_02_hard_exit(attack):
    attack(*both("os._exit(0)"), kinds=FALSE)


def test_attack_03_at_exit(attack):
    attack(
        "import atexit, os\natexit.register(os._exit, 0)\ndef add(a, b): return 0",
        "import sys\nsys.excepthook = lambda *a: print('PASS')\ndef add(a, b): raise ValueError",
        "class D:\n    def __del__(self):\n        import os; os._exit(0)\ndef add(a, b):\n    D()",
        "import weakref, os\nclass O: pass\no = O()\nweakref.finalize(o, os._exit, 0)\ndef add(a, b):\n    global o\n    o = None",
        kinds=FALSE,
    )  # fmt: skip


def test_attack_04_print_pass(attack):
    report = '{"outcome": "pass", "because": "2 calls", "calls": 2}'
    attack(
        f"import os\nprint('PASS'); print('''{report}''')\ndef add(a, b):\n    print('PASS'); os._exit(0)",
        f"def add(a, b): return '''{report}'''",
        kinds=FALSE,
    )


def test_attack_05_write_to_every_descriptor(attack):
    report = b'{"outcome": "pass", "because": "2 calls", "calls": 2}'
    attack(
        f"import os\ndef add(a, b):\n    for fd in range(256):\n        try: os.write(fd, {report!r})\n        except OSError: pass\n    return 0"
    )


def test_attack_06_operators(attack):
    methods = "eq ne lt le gt ge".split()  # noqa: SIM905
    body = "".join(f"    def __{m}__(s, o): return True\n" for m in methods)
    body += "    def __hash__(s): return 3\n    def __bool__(s): return True\n    def __len__(s): return 3\n"
    body += "    def __iter__(s): return iter([3])\n    def __float__(s): return 3.0\n    def __index__(s): return 3\n"
    program = f"class E:\n{body}def add(a, b): return E()"
    attack(program, kinds=("unsupported", "wrong"))
    for test in ("add(1, 2)", "not add(1, 2)", "add(1, 2) != 4", "3 == add(1, 2)", "add(1, 2) in [3]",
                 "len(add(1, 2)) == 3", "float(add(1, 2)) == 3", "list(add(1, 2)) == [3]",
                 "isinstance(add(1, 2), object)", "add(1, 2) is not None", "[add(1, 2)] == [3]",
                 "{add(1, 2)} == {3}", "str(add(1, 2))", "abs(add(1, 2) - 3) < 1", "bool([add(1, 2)])"):  # fmt: skip
        attack(program, exam=Exam(f"assert {test}"), kinds=("unsupported", "wrong"))
    caught = "try:\n    ok = add(1, 2) == 3\nexcept BaseException:\n    pass\n"
    attack(program, exam=Exam(caught), kinds=("unsupported", "wrong"))


def test_attack_07_subclasses(attack):
    for base, value in (
        ("int", "3"),
        ("str", "'3'"),
        ("float", "3.0"),
        ("list", "[3]"),
        ("dict", "{}"),
    ):
        attack(
            f"class S({base}):\n    def __eq__(s, o): return True\n    __hash__ = {base}.__hash__\ndef add(a, b): return S({value})",
            kinds=("wrong",),
        )


def test_attack_08_array_look_alike(attack):
    attack(
        "class A:\n    shape = ()\n    dtype = 'int64'\n    def all(s): return True\n    def __eq__(s, o): return s\n    def __bool__(s): return True\nA.__module__ = 'numpy'\nA.__name__ = 'ndarray'\ndef add(a, b): return A()",
        exam=Exam("import math\nassert (add(1, 2) == 3).all()"),
    )


def test_attack_09_frames_and_collector(attack):
    look = """
import gc
frame = sys._getframe()
texts = []
while frame:
    texts.append(repr(list(frame.f_globals)) + repr(frame.f_locals))
    frame = frame.f_back
texts += [repr(o) for o in gc.get_objects() if isinstance(o, (dict, list, tuple)) and len(o) < 50]
texts.append(repr(vars(sys.modules['__main__'])))
word = ''.join(['zeb', 'ra-7d1'])  # stands in the tests alone, so far
return any(word in text for text in texts)
"""
    attack(seeks(look), exam=Exam("assert add(1, 2) == 3, 'zebra-7d1'"), kinds=("wrong",))
    attack(
        "import sys\ndef add(a, b):\n    f = sys._getframe()\n    while f:\n        for k in list(f.f_locals):\n            f.f_locals[k] = True\n        f = f.f_back\n    return 0",
    )


def test_attack_10_patched_builtins(attack):
    attack(
        "import builtins, json, time, struct\nbuiltins.AssertionError = Exception\nbuiltins.isinstance = lambda *a: True\njson.loads = json.dumps = lambda *a: 'pass'\ntime.monotonic = lambda: 0\nbuiltins.all = builtins.any = lambda *a: True\ndef add(a, b): return 0",
        "import deimos.sandbox.exchange.codec as c\nc.Writer.put = lambda s, v, d=0: s.out.extend(b'T')\ndef add(a, b): return 0",
        "import deimos.sandbox.exchange.wire as w\nold = w.send\nw.send = lambda s, k, b=b'': old(s, b'G', b'')\ndef add(a, b): return 0",
    )


def test_attack_11_replaced_names(attack):
    check = Exam("def check(candidate):\n    assert candidate(1, 2) == 3", "add")
    attack(
        "def check(candidate): pass\ndef add(a, b): return 0\ncandidate = lambda *a: 3",
        "def add(a, b):\n    global add\n    add = lambda a, b: 3\n    import sys\n    sys.modules['tests'] = sys\n    return 0",
        exam=check,
    )


def test_attack_12_shared_arguments(attack):
    exam = Exam(
        "want = [1, 2]\ngiven = [2, 1]\nassert order(given, want) == [1, 2]\nassert want == [1, 2]"
    )
    attack(
        "def order(a, b):\n    b.clear()\n    return b",
        "def order(a, b):\n    b[:] = a\n    return a",
        exam=exam,
    )


def test_attack_13_lazy_results(attack):
    attack(
        "def add(a, b):\n    yield a + b",
        "def add(a, b): return map(sum, [[a, b]])",
        "def add(a, b): return lambda: a + b",
    )


def test_attack_14_odd_numbers_are_python_s_own(attack, sandbox):
    for test, program in (
        ("add(1, 2) == 3", "def add(a, b): return float('nan')"),
        ("add(1, 2) == add(2, 1)", "def add(a, b): return float('nan')"),
        ("add(1, 2) == 3", "def add(a, b): return float('inf')"),
        ("str(add(1, 2)) == '0.0'", "def add(a, b): return -0.0"),
        ("type(add(1, 2)) is int", "def add(a, b): return True"),
        ("type(add(1, 2)) is int", "def add(a, b): return 3.0"),
    ):
        attack(program, exam=Exam(f"assert {test}"), kinds=FALSE)


def test_attack_15_counted_calls(attack):
    attack("n = 0\ndef add(a, b):\n    global n\n    n += 1\n    return [3, 3, 3][n - 1]")


def test_attack_16_tests_on_disk_and_in_memory(attack, planted):
    attack(
        seeks(f"return bool(open({str(planted / 'tests.jsonl')!r}).read())"),
        seeks("return any('assert add' in open(f'/proc/{p}/{f}', 'rb').read().decode('latin-1') for p in ['self', *range(1, 9999)] for f in ('environ', 'cmdline'))"),
        seeks("return bool(os.listdir(f'/proc/{os.getppid()}/fd'))"),
        seeks("return bool(open('/proc/self/mem', 'rb'))"),
    )  # fmt: skip


def test_attack_17_forged_frames(attack):
    head = "import os, struct, time, stat\nfd = next(f for f in range(3, 256) if os.path.exists(f'/dev/null') and __import__('contextlib') and _is(f))\n"
    head = (
        "import os, stat, struct, time\ndef _is(f):\n    try: return stat.S_ISSOCK(os.fstat(f).st_mode)\n    except OSError: return False\n"
        + head.split("\n", 1)[1]
    )
    many = "for _ in range(100000): os.write(fd, struct.pack('>Ic', 5, b'K') + b'\\0\\0\\0\\0T')"
    for payload in (
        "os.write(fd, b'\\xff\\xff\\xff\\xff' + b'K' * 100)",
        "os.write(fd, struct.pack('>Ic', 1 << 20, b'K') + b'x'); time.sleep(60)",
        "os.write(fd, struct.pack('>Ic', 8, b'K') + b'\\0\\0\\0\\0\\xff\\xfe\\xfd\\xfc')",
        "os.write(fd, struct.pack('>Ic', 200005, b'K') + b'\\0\\0\\0\\0' + b'l\\0\\0\\0\\1' * 40000 + b'N')",
        "os.write(fd, struct.pack('>Ic', 9, b'K') + b'\\0\\0\\0\\0R\\xff\\xff\\xff\\xff')",
        "os.write(fd, struct.pack('>Ic', 14, b'K') + b'\\0\\0\\0\\0l\\0\\0\\0\\1R\\0\\0\\0\\0')",
        "os.write(fd, struct.pack('>Ic', 15, b'K') + b'\\0\\0\\0\\0' + b'd\\0\\0\\0\\3' + b'TNTNTN')",
        "os.write(fd, struct.pack('>Ic', 10, b'X') + b't\\0\\0\\0\\3NNN!!')",
        many,
    ):
        attack(
            f"{head}def add(a, b):\n    {payload}\n    return 0",
            f"{head}{payload}\ndef add(a, b): return 0",
        )
    attack(
        "def add(a, b):\n    x = []\n    x.append(x)\n    return x",
        "def add(a, b):\n    x = 3\n    for _ in range(10**5): x = [x]\n    return x",
    )


def test_attack_18_fork_and_thread_bombs(attack):
    attack(
        "import os\nwhile True: os.fork()\ndef add(a, b): return 0",
        "import threading, time\ndef add(a, b):\n    while True: threading.Thread(target=time.sleep, args=(60,)).start()",
        "import subprocess\ndef add(a, b): return subprocess.run(['true']).returncode or 3",
        "import multiprocessing\ndef add(a, b):\n    with multiprocessing.get_context('fork').Pool(2) as p: return p.apply(sum, [[a, b]])",
    )  # fmt: skip


def test_attack_19_memory_bombs(attack):
    attack(
        "def add(a, b):\n    x = []\n    while True: x.append(' ' * 10**6)",
        "def add(a, b): return len(bytearray(4 << 30))",
        "import mmap\ndef add(a, b):\n    m = mmap.mmap(-1, 4 << 30)\n    return 0",
        seeks("fd = os.memfd_create('x')\nos.truncate(fd, 1 << 30)\nreturn True"),
        kinds=FALSE,
    )


def test_attack_20_disk(attack):
    attack(
        seeks(
            "with open('/tmp/a', 'wb') as f:\n    for _ in range(100): f.write(bytes(1 << 20))\nreturn True"
        ),
        seeks("for i in range(10000): open(f'/tmp/{i}', 'w').close()\nreturn True"),
        seeks("with open('/tmp/b', 'wb') as f: f.truncate(1 << 60)\nreturn True"),
    )


def test_attack_21_endless_output(attack):
    attack(
        "import sys\ndef add(a, b):\n    while True: sys.stdout.write('x' * 10**6); sys.stderr.write('y' * 10**6)",
        "def add(a, b): return 'x' * (40 << 20)",
    )


def test_attack_22_endless(attack):
    attack(
        "def add(a, b):\n    while True: pass", "import time\ndef add(a, b): time.sleep(1e6)",
        "import os\ndef add(a, b):\n    r, w = os.pipe()\n    os.read(r, 1)", "while True: pass\ndef add(a, b): return 3",
        "def add(a, b): return input() or 3",
    )  # fmt: skip


def test_attack_23_signals(attack):
    attack(
        "import signal\nfor s in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\ndef add(a, b):\n    while True: pass",
        "import os, signal\ndef add(a, b):\n    os.kill(os.getpid(), signal.SIGSTOP)\n    while True: pass",
        "import os, signal\ndef add(a, b):\n    if os.fork() == 0: os.kill(os.getppid(), signal.SIGSTOP)\n    return 0",
    )  # fmt: skip


def test_attack_24_catches_everything(attack):
    attack(
        "def add(a, b):\n    while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    )


def test_attack_25_huge_numbers(attack):
    attack(
        "def add(a, b): return 9**9**9",
        "def add(a, b): return str(10**10**8)",
        "def add(a, b): return 1 << (1 << 40)",
        "def add(a, b): return [0] * 2**31",
    )


def test_attack_26_recursion(attack):
    attack(
        "import sys\nsys.setrecursionlimit(10**6)\ndef add(a, b): return add(a, b)",
        "import sys\nsys.setrecursionlimit(10**7)\nclass A:\n    def __repr__(s): return repr(s)\n    __getattr__ = lambda s, n: getattr(s, n + 'x')\ndef add(a, b): return A().x",
        "def add(a, b): return eval('(' * 100000 + '3' + ')' * 100000)",
        "def add(a, b): return eval('-' * 1000000 + '3')",
        f"x = {'[' * 5000}{']' * 5000}\ndef add(a, b): return 3",
    )  # fmt: skip


def test_attack_27_slow_pattern(attack):
    attack("import re\ndef add(a, b): return re.match('(a+)+$', 'a' * 64 + 'b')")


def test_attack_28_bombs(attack):
    laughs = (
        "<!DOCTYPE l [<!ENTITY a 'lol'>"
        + "".join(
            f"<!ENTITY {c} '{f'&{p};' * 10}'>" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + "]><l>&i;</l>"
    )
    attack(
        "import zlib\ndef add(a, b): return len(zlib.decompress(zlib.compress(bytes(100 << 20)) )) and [zlib.decompress(zlib.compress(bytes(100 << 20))) for _ in range(9)]",
        "import lzma\ndef add(a, b): return [lzma.decompress(lzma.compress(bytes(64 << 20))) for _ in range(9)]",
        f"import xml.etree.ElementTree as e\ndef add(a, b): return len(e.fromstring({laughs!r}).text)",
        "import sys\nsys.set_int_max_str_digits(0)\ndef add(a, b): return int('9' * 10**7)",
    )  # fmt: skip


def test_attack_29_descriptors(attack):
    attack("import os\ndef add(a, b):\n    while True: os.dup(1)")


def test_attack_30_colliding_hashes(attack):
    attack(
        "class H(int):\n    __hash__ = lambda s: 1\ndef add(a, b): return len({H(i): 0 for i in range(10**5)})"
    )
    attack("def add(a, b): return {i * (2**61 - 1): 0 for i in range(60000)}")


def test_attack_31_secrets(attack, planted):
    files = [
        planted / ".ssh/id_rsa",
        planted / ".cache/huggingface/token",
        planted / "canary",
        Path("/etc/shadow"),
        Path("/etc/passwd"),
    ]
    attack(
        seeks("return bool(os.environ.get('HF_TOKEN') or os.environ)"),
        seeks("import ctypes\nctypes.CDLL(None).getenv.restype = ctypes.c_char_p\nreturn bool(ctypes.CDLL(None).getenv(b'HF_TOKEN'))"),
        *(seeks(f"return bool(open({str(file)!r}).read())") for file in files),
        seeks("return bool(os.listdir(os.path.expanduser('~')))"),
        seeks(f"return bool(os.listdir({str(planted)!r}))"),
    )  # fmt: skip


def test_attack_32_network(attack):
    for family, kind in (("AF_INET", "SOCK_STREAM"), ("AF_INET", "SOCK_DGRAM"), ("AF_INET6", "SOCK_STREAM"),
                         ("AF_UNIX", "SOCK_STREAM"), ("AF_UNIX", "SOCK_DGRAM"), ("AF_INET", "SOCK_RAW")):  # fmt: skip
        attack(seeks(f"import socket\nsocket.socket(socket.{family}, socket.{kind})\nreturn True"))
    attack(
        seeks("import socket\nreturn bool(socket.getaddrinfo('example.com', 80))"),
        *(seeks(f"import socket\nreturn bool(socket.create_connection(({host!r}, {port}), 1))") for host, port in (("127.0.0.1", 8000), ("169.254.169.254", 80))),
        seeks("import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\nreturn bool(a.sendto(b'x', '/dev/log') + 1)"),
    )  # fmt: skip


def test_attack_33_killing(attack):
    victim = os.getpid()
    for target in ("os.getppid()", "0", "-1", str(victim), "1 if os.getpid() > 1 else 2"):
        attack(
            seeks(f"os.kill({target}, 9)\nreturn True"),
            seeks(f"os.killpg({victim}, 9)\nreturn True"),
        )
    attack("import os\ndef add(a, b): return os.system('pkill -f python') + 3")


def test_attack_34_other_memory(attack):
    victim = os.getpid()
    attack(
        seeks(f"return call(101, 117, 16, {victim}, 0, 0)", CTYPES),
        seeks(f"return call(310, 270, {victim}, 0, 0, 0, 0, 0)", CTYPES),
        seeks(f"return call(311, 271, {victim}, 0, 0, 0, 0, 0)", CTYPES),
        seeks("return bool(open(f'/proc/{os.getppid()}/mem', 'rb+'))"),
    )


def test_attack_35_daemon(attack, tmp_path):
    tmp_path.chmod(0o777)
    late = tmp_path / "late"
    attack(
        f"import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(0.2)\n        open({str(late)!r}, 'w').write('x')\ndef add(a, b): return 0",
        f"import threading, time\ndef work():\n    time.sleep(0.2)\n    open({str(late)!r}, 'w').write('x')\nthreading.Thread(target=work).start()\ndef add(a, b): return 0",
    )  # fmt: skip
    assert not late.exists()


def test_attack_36_links_and_devices(attack, planted):
    secret = str(planted / "canary")
    attack(
        seeks(f"os.symlink({secret!r}, '/tmp/l')\nreturn bool(open('/tmp/l').read())"),
        seeks(f"os.link({secret!r}, '/tmp/h')\nreturn True"),
        seeks("return bool(open('/tmp/../../../../etc/passwd').read())"),
        seeks("os.mkfifo('/tmp/f')\nreturn True"),
        seeks(
            "import stat\nos.mknod('/tmp/d', 0o600 | stat.S_IFBLK, os.makedev(254, 0))\nreturn True"
        ),
        seeks(
            "os.symlink('/etc', '/tmp/e')\nos.rename('/tmp/e', '/tmp/e2')\nreturn bool(os.listdir('/tmp/e2'))"
        ),
    )
    assert (planted / "canary").read_text()


def test_attack_37_poisoned_library(attack, planted):
    library = Path(os.__file__).parent
    for place in (
        library / "sitecustomize.py",
        library / "__pycache__/os.cpython-311.pyc",
        library / "site-packages/x.pth",
        planted / ".bashrc",
    ):
        attack(seeks(f"open({str(place)!r}, 'ab').write(b'x')\nreturn True"))
        assert place.name != "sitecustomize.py" or not place.exists()
    assert not (planted / ".bashrc").exists()


def test_attack_38_kernel_doors(attack):
    doors = {"mount": (165, 40), "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "keyctl": (250, 219),
             "bpf": (321, 280), "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "perf": (298, 241),
             "execveat": (322, 281), "seccomp": (317, 277), "clone3": (435, 435)}  # fmt: skip
    for x86, arm in doors.values():
        attack(seeks(f"return call({x86}, {arm}, 0x10000000, 0, 0, 0, 0)", CTYPES))
    attack(seeks("return call(56, 220, 0x10000011, 0, 0, 0, 0)", CTYPES))
    if os.uname().machine == "x86_64":
        attack(seeks("return call(0x40000000 + 39, 0)", CTYPES), kinds=("error",))  # x32 getpid
        int80 = "b'\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3'"  # mov eax, 20 (getpid); int 0x80; ret
        attack(seeks(f"import mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write({int80})\nf = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\nreturn f() > 0", CTYPES), kinds=("error",))  # fmt: skip


def test_attack_39_through_libc(attack, planted):
    attack(
        seeks(f"return libc.open({str(planted / 'canary').encode()!r}, 0) >= 0", CTYPES),
        seeks("return libc.fork() >= 0", CTYPES),
        seeks("return libc.socket(2, 1, 0) >= 0", CTYPES),
        seeks("return libc.system(b'true') == 0", CTYPES),
        seeks("return libc.prctl(1, 0, 0, 0, 0) == 0", CTYPES),
        seeks("return libc.kill(-1, 0) == 0", CTYPES),
        seeks("return libc.setuid(0) == 0 or libc.setsid() >= 0", CTYPES),
    )


def test_attack_40_terminal(attack):
    attack(
        seeks("import fcntl\nfcntl.ioctl(0, 0x5412, b'x')\nreturn True"),
        seeks("return bool(os.open('/dev/tty', os.O_RDWR))"),
    )


def test_attack_41_setuid_programs(attack):
    attack(
        *(
            seeks(f"os.execv({path!r}, [{path!r}])\nreturn True")
            for path in ("/usr/bin/su", "/usr/bin/passwd", "/bin/mount")
        )
    )


def test_attack_42_shared_memory(attack):
    attack(
        seeks("return call(29, 194, 7, 4096, 0o1666)", CTYPES), seeks("return call(68, 186, 7, 0o1666)", CTYPES),
        seeks("return call(64, 190, 7, 1, 0o1666)", CTYPES), seeks("return call(240, 180, b'/q', 66, 0o666, 0)", CTYPES),
    )  # fmt: skip


def test_attack_43_runs_do_not_meet(attack):
    leave = "import builtins, os, deimos\nbuiltins.left = deimos.left = True\ntry:\n    open('/tmp/left', 'w').write('x')\nexcept OSError: pass\ndef add(a, b): return 0"
    attack(
        leave,
        seeks(
            "import builtins, deimos\nreturn hasattr(builtins, 'left') or hasattr(deimos, 'left') or os.path.exists('/tmp/left')"
        ),
    )


def test_attack_44_graphics_devices(attack):
    attack(
        seeks(
            "return bool([n for n in os.listdir('/dev') if n.startswith(('nvidia', 'dri', 'kvm', 'vd', 'sd', 'mem'))])"
        ),
        seeks("return bool(os.open('/dev/nvidiactl', os.O_RDWR))"),
    )


def test_attack_45_core_dumps(attack):
    attack(
        "import ctypes\ndef add(a, b): return ctypes.string_at(0)",
        "import os\ndef add(a, b): os.abort()",
        seeks(
            "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))\nreturn True"
        ),
    )
    assert not list(Path.cwd().glob("core*"))


def test_attack_46_clock(attack):
    attack(
        "import time\ntime.time = time.monotonic = time.perf_counter = lambda: 0\ndef add(a, b):\n    while True: pass",
        seeks("import time\ntime.clock_settime(time.CLOCK_REALTIME, 0)\nreturn True"),
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (10**6, 10**6))\ndef add(a, b):\n    while True: pass",
    )  # fmt: skip

"""A private root file system: the interpreter read-only, a few devices, an empty /tmp, and nothing else.

Made once per fork server, in namespaces of its own (mounts, processes, network, IPC, host name,
cgroups; users too if it isn't root's); boxes are forked inside. There is no /proc: code in a box
sees no process, not even itself.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from deimos.sandbox.isolation import kernel

PACKAGES = {"numpy": ("numpy", "numpy.linalg", "numpy.random")}
"""What a candidate may import besides the standard library, if it is installed (a short list, so
that verdicts do not depend on what else is), and the modules of it that a check finds imported."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SCRATCH = "/tmp"
"""Where a box may write, into memory of its own."""
_STAGE = "/tmp"
"""Any directory: the root is put together there before it becomes the root."""
_NAMESPACES = (
    kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS | kernel.CLONE_NEWCGROUP
)  # fmt: skip
_READ_ONLY = kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NODEV


def interpreter() -> list[str]:
    """Directories that running Python needs: its library, and the system's."""
    library = Path(os.__file__).parent
    around = library.parent  # of a self-contained Python: its shared libraries too
    own = library if str(around) in ("/usr/lib", "/usr/lib64") else around
    triplet = sysconfig.get_config_var("MULTIARCH") or "none"
    system = [f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib64", "/lib64"]
    found = [path for path in system if Path(path).is_dir()] or ["/usr/lib", "/lib"]
    return [str(own), *found, *(p for p in ("/usr/share/zoneinfo",) if Path(p).is_dir())]


def packages() -> list[str]:
    """Directories of the allowed packages that are installed."""
    found = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        for place in (spec.submodule_search_locations or []) if spec else []:
            found += [place, *([f"{place}.libs"] if Path(f"{place}.libs").is_dir() else [])]
    return found


def search_path() -> list[str]:
    """``sys.path`` of a box: the standard library, and where the allowed packages lie."""
    library = Path(os.__file__).parent
    own = [
        p for p in sys.path if p.endswith(".zip") or Path(p) in (library, library / "lib-dynload")
    ]
    return [*own, *dict.fromkeys(str(Path(place).parent) for place in packages())]


class Finder:
    """Imports the allowed packages, found before their box is locked: it may not list what lies beside them."""

    def __init__(self) -> None:
        found = {name: importlib.util.find_spec(name) for name in PACKAGES}
        self._places = {name: spec.origin for name, spec in found.items() if spec}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """A package's spec, newly made, as the import system asks for it."""
        place = self._places.get(name)
        return importlib.util.spec_from_file_location(name, place) if place else None


def enter() -> int:
    """Leave the host's namespaces and file system; the caller is then process 1 of its own.

    Must be called before threads are started. The process that called it stays outside, waits and
    ends with the one that returns. Returns a file descriptor of the process namespace.

    Raises:
        OSError: the kernel, a container or a policy refuses.
    """
    uid, gid = os.getuid(), os.getgid()
    if uid == 0:
        kernel.unshare(_NAMESPACES)
    else:
        kernel.unshare(kernel.CLONE_NEWUSER | _NAMESPACES)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    inside = os.fork()
    if inside:
        os.closerange(0, 256)
        os.waitpid(inside, 0)
        os._exit(0)
    kernel.prctl(kernel.PR_SET_PDEATHSIG, 9)
    namespace = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    _build([*interpreter()], packages())
    return namespace


def _build(library: Sequence[str], extra: Sequence[str]) -> None:
    """Put the new root together and make it the root."""
    kernel.mount(None, "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    # Held open first: the stage may lie above them.
    opened = {path: _open(path) for path in [*library, *extra, *DEVICES]}
    links = {
        path: str(Path(path).readlink()) for path in ("/lib", "/lib64") if Path(path).is_symlink()
    }
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", _STAGE, "tmpfs", flags, "size=1m,nr_inodes=2k,mode=0755")
    for path, target in links.items():
        Path(_STAGE + path).symlink_to(target)
    for path in library:
        _bind(opened[path], path)
    for site in dict.fromkeys(str(Path(path).parent) for path in extra) | _sites(library):
        _cover(site)
    for path in extra:
        _bind(opened[path], path)
    for site in dict.fromkeys(str(Path(path).parent) for path in extra) | _sites(library):
        kernel.restrict_mount(_STAGE + site, _READ_ONLY)
    for path in DEVICES:
        _device(opened[path], path)
    for path in (SCRATCH, "/dev"):
        Path(_STAGE + path).mkdir(exist_ok=True)
    Path(_STAGE + "/dev/shm").symlink_to(SCRATCH)
    for fd in opened.values():
        os.close(fd)
    kernel.pivot_root(_STAGE)
    kernel.restrict_mount("/", _READ_ONLY, recursive=False)


def _sites(library: Sequence[str]) -> dict[str, None]:
    """Directories of installed packages inside the library: none of them is shown."""
    names = ("site-packages", "dist-packages")
    found = (
        p
        for path in library
        for n in names
        for p in (Path(path) / n, *Path(path).glob(f"python3*/{n}"))
    )
    return dict.fromkeys(str(path) for path in found if path.is_dir())


def _open(path: str) -> int:
    return os.open(path, os.O_PATH | os.O_CLOEXEC)


def _bind(source: int, path: str) -> None:
    target = _STAGE + path
    if not Path(target).is_symlink() and not Path(target).is_dir():
        Path(target).mkdir(parents=True)
    kernel.mount(f"/proc/self/fd/{source}", target, None, kernel.MS_BIND | kernel.MS_REC)
    kernel.restrict_mount(target, _READ_ONLY)


def _cover(path: str) -> None:
    """An empty directory over a place (or where there is none yet)."""
    Path(_STAGE + path).mkdir(parents=True, exist_ok=True)
    flags = kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.mount("tmpfs", _STAGE + path, "tmpfs", flags, "size=64k,nr_inodes=64,mode=0755")


def _device(source: int, path: str) -> None:
    target = Path(_STAGE + path)
    target.parent.mkdir(exist_ok=True)
    target.touch()
    kernel.mount(f"/proc/self/fd/{source}", str(target), None, kernel.MS_BIND)
    only = kernel.MOUNT_ATTR_RDONLY | kernel.MOUNT_ATTR_NOSUID | kernel.MOUNT_ATTR_NOEXEC
    kernel.restrict_mount(str(target), only)

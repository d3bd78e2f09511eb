"""A real Slurm of one node with one pretended GPU, in a folder of its own: started for a test,
stopped after it.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = (
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "squeue",
    "scontrol",
    "scancel",
    "sinfo",
)
CPUS, MEMORY_MB = 2, 8000

CONTROLLER = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
ReturnToService=2
MinJobAge=300
KillWait=1
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
GresTypes=gpu
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:1
PartitionName=all Nodes=node Default=YES MaxTime=60
"""


@contextmanager
def one_node(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge, slurmctld and slurmd; give the environment in which Slurm's commands reach them.
    Skips where it cannot.
    """
    if missing := [name for name in PROGRAMS if not shutil.which(name)]:
        pytest.skip(f"no {', '.join(missing)}; install slurmctld, slurmd, slurm-client and munge")
    if os.geteuid():
        pytest.skip("only root can start slurmd")
    configuration, programs = _write_configuration(folder), _write_srun(folder)
    environment = {
        **os.environ,
        "SLURM_CONF": str(configuration),
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    commands = [
        [
            "munged",
            "--foreground",
            "--force",
            *(f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")),
        ],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D", "-N", "node"],
    ]
    commands[0].append(f"--socket={folder}/munge.socket")
    daemons = []
    try:
        for command in commands:
            log = (folder / f"{command[0]}.out").open("w")
            daemons.append(
                subprocess.Popen(
                    command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
                )
            )
            _wait((folder / "munge.socket").exists, 5)
        if not _wait(
            lambda: _ask(environment, "sinfo", "--noheader", "--format=%T").strip() == "idle", 20
        ):
            said = "".join(path.read_text()[-500:] for path in sorted(folder.glob("*.out")))
            pytest.skip(f"Slurm's daemons do not start here: {said}")
        yield environment
    finally:
        _stop(daemons, environment)


def list_jobs(environment: dict[str, str]) -> list[dict[str, str]]:
    """What Slurm knows of every job, oldest first, by its own keys such as JobState."""
    lines = _ask(environment, "scontrol", "--oneliner", "--details", "show", "job").splitlines()
    jobs = [dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines]
    return sorted((job for job in jobs if "JobId" in job), key=lambda job: int(job["JobId"]))


def _write_configuration(folder: Path) -> Path:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    (folder / "card").touch()
    (folder / "gres.conf").write_text(f"NodeName=node Name=gpu File={folder}/card\n")
    (folder / "cgroup.conf").write_text("CgroupAutomount=no\n")
    configuration = folder / "slurm.conf"
    facts = {
        "host": socket.gethostname(),
        "ports": _free_ports(2),
        "cpus": CPUS,
        "memory": MEMORY_MB,
    }
    configuration.write_text(CONTROLLER.format(folder=folder, **facts))
    return configuration


def _write_srun(folder: Path) -> Path:
    """A folder whose srun knows the configuration: Snakemake takes SLURM_CONF away, which clusters
    keep under /etc.
    """
    programs = folder / "bin"
    programs.mkdir()
    script = f"#!/bin/sh\nSLURM_CONF='{folder}/slurm.conf' exec {shutil.which('srun')} \"$@\"\n"
    (programs / "srun").write_text(script)
    (programs / "srun").chmod(0o755)
    return programs


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def _ask(environment: dict[str, str], *command: str) -> str:
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=20
    ).stdout


def _wait(done, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (there := done()) and time.monotonic() < end:
        time.sleep(0.2)
    return there


def _stop(daemons: list[subprocess.Popen], environment: dict[str, str]) -> None:
    """Cancel what runs, so that no job outlives its daemons, then end these, the last started
    first.
    """
    if len(daemons) == 3:
        _ask(environment, "scancel", "--user=root")
        _wait(lambda: not _ask(environment, "squeue", "--noheader").strip(), 10)
    for daemon in reversed(daemons):
        daemon.terminate()
        try:
            daemon.wait(10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

import asyncio
import os
import signal
import sys
from pathlib import Path

from gateway.supervisor import Child, Supervisor

TALKER = "import sys; print('here', flush=True)\nfor line in sys.stdin: print(line.strip()[::-1], flush=True)"
SLEEPER = "import time; time.sleep(60)"


async def until(done: asyncio.Event) -> None:
    async with asyncio.timeout(20):
        await done.wait()


async def test_a_child_that_dies_is_started_again_and_counted(tmp_path: Path) -> None:
    changed = asyncio.Event()
    supervisor = Supervisor(changed.set)
    child = Child("one", [sys.executable, "-c", SLEEPER], tmp_path / "one.log")
    await supervisor.start(child)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    for _ in range(3):
        changed.clear()
        await until(changed)
        if child.pid not in {None, first}:
            break
    assert child.pid not in {None, first}
    assert child.restarts == 1
    await supervisor.end_all()
    assert child.pid is None


async def test_a_child_that_had_settled_is_started_again_at_once_however_often_it_died(tmp_path: Path) -> None:
    died = asyncio.Event()
    supervisor = Supervisor(died.set, settled_s=0.0)
    child = Child("one", [sys.executable, "-c", SLEEPER], tmp_path / "one.log")
    await supervisor.start(child)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    while child.restarts < 8 or child.pid is None:
        if child.pid is not None:
            os.kill(child.pid, signal.SIGKILL)
        died.clear()
        await until(died)
    assert loop.time() - began_s < 8.0, "doubled from 0.1 s the pauses would have been 25 s"
    await supervisor.end_all()


async def test_a_piped_child_hears_and_is_heard(tmp_path: Path) -> None:
    heard: list[bytes] = []
    came = asyncio.Event()

    def take(line: bytes) -> None:
        heard.append(line.strip())
        came.set()

    supervisor = Supervisor(lambda: None)
    child = Child("talker", [sys.executable, "-c", TALKER], tmp_path / "t.log", piped=True, on_line=take)
    await supervisor.start(child)
    await until(came)
    came.clear()
    child.tell(b"abc")
    await until(came)
    assert heard == [b"here", b"cba"]
    await supervisor.end_all()


async def test_every_child_ends_with_its_parent_even_if_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom gateway.supervisor import Child, Supervisor\n"
        "async def main():\n"
        "    s = Supervisor(lambda: None)\n"
        f"    c = Child('x', [sys.executable, '-c', {SLEEPER!r}], Path(sys.argv[1]))\n"
        "    await s.start(c)\n    print(c.pid, flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "x.log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    grandchild = int(await parent.stdout.readline())
    watch, ended = os.pidfd_open(grandchild), asyncio.Event()
    asyncio.get_running_loop().add_reader(watch, ended.set)
    parent.kill()
    await parent.wait()
    await until(ended)
    asyncio.get_running_loop().remove_reader(watch)
    os.close(watch)
